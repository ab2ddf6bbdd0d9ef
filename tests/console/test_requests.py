"""Access is asked for and decided: never by who asks, never something else, never twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.db import connections
from django.test import Client, override_settings

from cast import Cast, playing
from console.visitors import person_of, signed_in, with_an_app
from databases import Database
from domain.working import work
from portero.domain.access import queries
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import (
    AccessDenied,
    AskedTooOften,
    BeyondOwnRights,
    NotFound,
    OwnAccess,
    RequestChanged,
    RequestClosed,
    TooManyRequests,
)
from portero.domain.access.models import AccessRequest, Binding
from portero.domain.access.services import requests
from portero.domain.accounts import services as accounts
from portero.domain.audit.models import Record, in_workspace
from portero.engine import GuardrailKind, Reach

DAY = timedelta(days=1)
_numbers = count()


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        for one in (made.ana, made.beto, made.dora):
            with_an_app(person_of(one))
        yield replace(made, ana=replace(made.ana, at=datetime.now(UTC)))


@pytest.fixture
def eva(cast: Cast) -> Actor:
    n = next(_numbers)
    principal = accounts.add_person(actor=cast.ana, email=f"eva{n}@asks.example", name=f"Eva {n}")
    access.create_binding(actor=cast.ana, principal=principal, role=cast.role("Agent"))
    made = Actor(cast.workspace, principal, datetime.now(UTC))
    with_an_app(person_of(made))
    return made


@pytest.fixture
def auditor(cast: Cast) -> UUID:
    """A role that opens the activity."""
    cells = {"audit:read": Reach.ALL, "member:read": Reach.ALL}
    return access.create_role(actor=cast.ana, name=f"Looks {next(_numbers)}", cells=cells)


def asked(actor: Actor, role: UUID) -> UUID:
    return access.request_access(actor=actor, role=role, lasts=DAY, reason="The audit of May")


def digest(actor: Actor, request: UUID) -> bytes:
    return bytes.fromhex(queries.request_in_detail(actor=actor, request=request).digest)


def given(cast: Cast, principal: UUID, role: UUID) -> list[Binding]:
    with in_workspace(cast.workspace):
        return list(Binding.objects.filter(principal_id=principal, role_id=role, valid_to=None))


def plain(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode())).replace("&#x27;", "'")


def test_from_a_closed_door_to_an_open_one_and_closed_again(
    cast: Cast, eva: Actor, auditor: UUID
) -> None:
    hers, owners = signed_in(person_of(eva)), signed_in(person_of(cast.ana))
    refused = hers.get("/")
    [way] = re.findall(r'href="(/requests/new/[^"]+)"', refused.content.decode())
    page = hers.get(way).content.decode()
    [role] = re.findall(r'<option value="([0-9a-f-]{36})"', page)
    sent = hers.post(
        way,
        {
            "role": role,
            "lasts": "3600",
            "reason": "For the audit",
            "permission": "audit:read",
        },
    )
    [path] = [sent.headers["Location"]]

    seen = owners.get(path)
    form = dict(re.findall(r'name="(digest)" value="([0-9a-f]{64})"', seen.content.decode()))
    done = owners.post(f"{path}approve/", {**form, "answer": "Of course"}, follow=True)

    assert refused.status_code == 403
    assert "Read what was done and refused" in plain(page.encode())
    assert "Read what was done and refused" in plain(seen.content)
    assert "An hour" in plain(seen.content)
    assert "has it from now on, and it ends by itself." in plain(done.content)
    assert hers.get("/").status_code == 200
    assert "given" in plain(hers.get(path).content)
    [binding] = given(cast, eva.principal, UUID(role))
    assert binding.managed_by == requests.MANAGED_BY
    assert binding.until is not None
    later = replace(eva, at=binding.until)
    assert not queries.allowed(actor=later, permissions=("audit:read",))


def test_r04_nobody_decides_their_own(cast: Cast, auditor: UUID) -> None:
    ana = replace(cast.ana, at=datetime.now(UTC))
    request = asked(ana, auditor)

    with pytest.raises(OwnAccess):
        access.approve_request(actor=ana, request=request, digest=digest(ana, request))
    with pytest.raises(OwnAccess):
        access.refuse_request(actor=ana, request=request, answer="")
    page = signed_in(person_of(ana)).get(f"/requests/{request}/").content.decode()
    assert "approve/" not in page
    posted = signed_in(person_of(ana)).post(
        f"/requests/{request}/approve/", {"digest": digest(ana, request).hex(), "answer": ""}
    )
    assert posted.status_code == 403
    assert given(cast, ana.principal, auditor) == []


def test_b3_3_an_account_that_somebody_answers_for_does_not_ask_for_their_yes(
    cast: Cast, auditor: UUID
) -> None:
    ana = replace(cast.ana, at=datetime.now(UTC))
    bot = accounts.create_service_account(actor=ana, name="bot", accountable=ana.principal)
    request = asked(Actor(ana.workspace, bot, ana.at), auditor)

    with pytest.raises(OwnAccess):
        access.approve_request(actor=ana, request=request, digest=digest(ana, request))


def test_b3_4_what_was_asked_is_what_is_given_or_nothing(
    cast: Cast, eva: Actor, auditor: UUID
) -> None:
    request = asked(eva, auditor)
    seen = digest(cast.ana, request)
    access.update_role(
        actor=cast.ana, role=auditor, cells={"audit:read": Reach.ALL, "role:update": Reach.ALL}
    )

    for shown in (seen, digest(cast.ana, request)):
        with pytest.raises(RequestChanged):
            access.approve_request(actor=cast.ana, request=request, digest=shown)
    page = signed_in(person_of(cast.ana)).get(f"/requests/{request}/")
    assert "The role is not any more what was asked for" in plain(page.content)
    assert given(cast, eva.principal, auditor) == []


def test_b3_4_control_without_the_digest_the_changed_role_is_given(
    cast: Cast, eva: Actor, auditor: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "digest_of", lambda *_: b"same")
    request = asked(eva, auditor)
    access.update_role(
        actor=cast.ana, role=auditor, cells={"audit:read": Reach.ALL, "role:update": Reach.ALL}
    )

    access.approve_request(actor=cast.ana, request=request, digest=b"same")

    assert len(given(cast, eva.principal, auditor)) == 1


def test_r05_of_fifty_who_approve_at_once_one_gives(cast: Cast, eva: Actor, auditor: UUID) -> None:
    request = asked(eva, auditor)
    seen = digest(cast.ana, request)

    def approve(_n: int) -> bool:
        try:
            access.approve_request(actor=cast.ana, request=request, digest=seen)
        except RequestClosed:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(approve, range(50)))

    assert outcomes.count(True) == 1
    assert len(given(cast, eva.principal, auditor)) == 1


def test_r06_the_right_to_decide_is_looked_at_when_it_is_used(
    cast: Cast, eva: Actor, auditor: UUID
) -> None:
    judge = accounts.add_person(actor=cast.ana, email=f"j{eva.id}@asks.example", name="Judge")
    cells = {
        "access_request:approve": Reach.ALL, "audit:read": Reach.ALL, "member:read": Reach.ALL,
        "role:read": Reach.ALL,
    }  # fmt: skip
    role = access.create_role(actor=cast.ana, name=f"Judge {eva.id}", cells=cells)
    binding = access.create_binding(actor=cast.ana, principal=judge, role=role)
    actor = Actor(cast.workspace, judge, datetime.now(UTC))
    request = asked(eva, auditor)
    seen = digest(actor, request)

    access.revoke_binding(actor=cast.ana, binding=binding)

    with pytest.raises(AccessDenied):
        access.approve_request(actor=actor, request=request, digest=seen)
    assert given(cast, eva.principal, auditor) == []


def test_b3_3_who_may_decide_gives_only_what_they_have(cast: Cast, eva: Actor) -> None:
    judge = accounts.add_person(actor=cast.ana, email=f"k{eva.id}@asks.example", name="Judge")
    role = access.create_role(
        actor=cast.ana, name=f"Just {eva.id}", cells={"access_request:approve": Reach.ALL}
    )
    access.create_binding(actor=cast.ana, principal=judge, role=role)
    actor = Actor(cast.workspace, judge, datetime.now(UTC))
    request = asked(eva, cast.role("Administrator"))

    with pytest.raises(NotFound):  # what one cannot decide one does not see
        queries.request_in_detail(actor=actor, request=request)
    assert queries.count_to_decide(actor) == 0
    with pytest.raises(AccessDenied):
        access.approve_request(actor=actor, request=request, digest=digest(cast.ana, request))


def test_r24_a_stranger_to_a_request_learns_nothing(cast: Cast, eva: Actor, auditor: UUID) -> None:
    request = asked(eva, auditor)
    dora, carla = signed_in(person_of(cast.dora)), signed_in(person_of(cast.carla))

    for other in (dora, carla):
        assert other.get(f"/requests/{request}/").status_code == 404
        assert "Eva" not in plain(other.get("/requests/").content)
        assert other.post(f"/requests/{request}/withdraw/").status_code == 404


def test_a_refusal_is_told_with_its_word(cast: Cast, eva: Actor, auditor: UUID) -> None:
    request = asked(eva, auditor)
    owners: Client = signed_in(person_of(cast.ana))

    owners.post(f"/requests/{request}/refuse/", {"digest": "", "answer": "Ask Beto instead"})

    shown = plain(signed_in(person_of(eva)).get(f"/requests/{request}/").content)
    assert "Ask Beto instead" in shown
    assert "refused" in shown
    with pytest.raises(RequestClosed):
        access.approve_request(actor=cast.ana, request=request, digest=digest(eva, request))
    with in_workspace(cast.workspace):
        events = set(Record.objects.values_list("event", flat=True))
    assert {"access_request.created", "access_request.refused"} <= events


def test_what_nobody_decides_ends(cast: Cast, eva: Actor, auditor: UUID) -> None:
    request = asked(eva, auditor)
    later = replace(cast.ana, at=eva.at + requests.WAITS)

    with pytest.raises(RequestClosed):
        access.approve_request(actor=later, request=request, digest=digest(eva, request))
    told = queries.request_in_detail(actor=replace(eva, at=later.at), request=request)
    assert told.state == "expired"


def test_who_is_removed_asks_for_nothing_any_more(cast: Cast, eva: Actor, auditor: UUID) -> None:
    request = asked(eva, auditor)

    accounts.remove(actor=cast.ana, principal=eva.principal)

    with in_workspace(cast.workspace):
        assert AccessRequest.objects.get(id=request).state == "withdrawn"


def test_nobody_asks_without_measure(cast: Cast, eva: Actor, auditor: UUID) -> None:
    def ask(hours: int) -> UUID:
        return access.request_access(
            actor=eva, role=auditor, lasts=timedelta(hours=hours), reason="Wants to see"
        )

    made = [ask(n + 1) for n in range(requests.MOST_OPEN)]
    assert ask(1) == made[0], "asked again is asked once"

    with pytest.raises(TooManyRequests):
        ask(requests.MOST_OPEN + 1)


def test_nobody_fills_mailboxes_by_asking_and_withdrawing(
    cast: Cast, eva: Actor, auditor: UUID
) -> None:
    for _ in range(5):
        access.withdraw_request(actor=eva, request=asked(eva, auditor))

    with pytest.raises(AskedTooOften):
        asked(eva, auditor)
    hers, way = signed_in(person_of(eva)), "/requests/new/?permission=audit:read"
    [role] = re.findall(r'<option value="([0-9a-f-]{36})"', hers.get(way).content.decode())
    form = {"role": role, "lasts": "3600", "reason": "x", "permission": "audit:read"}
    answer = hers.post("/requests/new/", form)
    assert "You withdrew five requests within the last hour." in plain(answer.content)
    assert asked(replace(eva, at=eva.at + timedelta(hours=2)), auditor)


def test_the_mail_of_what_was_given_says_until_when(cast: Cast, eva: Actor, auditor: UUID) -> None:
    request = asked(eva, auditor)
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"):
        work()
        mail.outbox = []
        access.approve_request(actor=cast.ana, request=request, digest=digest(cast.ana, request))
        work()

    end = (cast.ana.at + DAY).astimezone(ZoneInfo("America/Bogota"))
    assert f"It ends by itself: {end:%Y-%m-%d %H:%M} (America/Bogota)." in mail.outbox[-1].body


def test_r10_asking_takes_no_other_field(cast: Cast, eva: Actor, auditor: UUID) -> None:
    form = {"role": str(auditor), "lasts": "3600", "reason": "x", "principal": str(eva.principal)}

    assert signed_in(person_of(eva)).post("/requests/new/", form).status_code == 400


def test_r01_a_request_shows_to_nobody_whose_reach_is_over_another_team(
    cast: Cast, eva: Actor
) -> None:
    n = next(_numbers)
    cells = {"send:text": Reach.TEAM}
    reads = access.create_role(actor=cast.ana, name=f"Reads {n}", cells=cells)
    decides = access.create_role(
        actor=cast.ana, name=f"Decides {n}", cells={"access_request:approve": Reach.ALL}
    )
    lead = accounts.add_person(actor=cast.ana, email=f"lead{n}@asks.example", name="Lead")
    for role in (reads, decides):
        access.create_binding(actor=cast.ana, principal=lead, role=role)
    ventas, soporte = (
        access.create_team(actor=cast.ana, name=f"{name} {n}") for name in ("Ventas", "Soporte")
    )
    access.add_to_team(actor=cast.ana, team=ventas, member=lead)
    access.add_to_team(actor=cast.ana, team=soporte, member=eva.principal)
    request = asked(eva, reads)
    theirs = replace(eva, principal=lead)

    def can_decide() -> tuple[bool, bool]:
        with in_workspace(cast.workspace):
            told = lead in queries.who_can_decide(request, at=theirs.at)
        shown = {one.id for one in queries.requests_to_decide(actor=theirs)}
        return request in shown, told

    assert can_decide() == (False, False)
    with pytest.raises(BeyondOwnRights):
        access.approve_request(actor=theirs, request=request, digest=digest(cast.ana, request))

    access.add_to_team(actor=cast.ana, team=soporte, member=lead)
    assert can_decide() == (True, True), "control: who is in that team, too"


def test_who_can_decide_is_told_and_who_asked_hears_the_answer(
    cast: Cast, eva: Actor, auditor: UUID
) -> None:
    from portero.domain.notices.services import registry
    from portero.domain.notices.services.registry import Happened

    request = asked(eva, auditor)
    with in_workspace(cast.workspace):
        asking = registry.letters(
            Happened(cast.workspace, "access_request.created", (request, eva.principal))
        )
    access.approve_request(actor=cast.ana, request=request, digest=digest(cast.ana, request))
    with in_workspace(cast.workspace):
        answer = registry.letters(Happened(cast.workspace, "access_request.approved", (request,)))

    assert {person_of(cast.ana).pk, person_of(cast.beto).pk} <= {one.person for one in asking}
    assert person_of(cast.dora).pk not in {one.person for one in asking}
    assert person_of(eva).pk not in {one.person for one in asking}
    assert [one.person for one in answer] == [person_of(eva).pk]


def test_what_a_guardrail_takes_away_is_not_asked_for(
    cast: Cast, eva: Actor, auditor: UUID
) -> None:
    access.create_binding(actor=cast.ana, principal=eva.principal, role=auditor)
    guardrail = access.create_guardrail(
        actor=cast.ana,
        name="No log for Eva",
        kind=GuardrailKind.DENY,
        permissions=["audit:read"],
        principals=[eva.principal],
    )

    page = signed_in(person_of(eva)).get("/")
    access.retire_guardrail(actor=cast.ana, guardrail=guardrail)

    assert page.status_code == 403
    assert "/requests/new/" not in page.content.decode()


def test_r24_who_may_not_see_roles_reads_no_name_of_one_that_is_the_workspaces_own(
    cast: Cast, eva: Actor
) -> None:
    secret, needs = "Proyecto Cóndor", "guardrail:update"
    role = access.create_role(actor=cast.ana, name=secret, cells={needs: Reach.ALL})
    hers = signed_in(person_of(eva))
    way = f"/requests/new/?permission={needs}"
    form = {"role": str(role), "lasts": "3600", "reason": "One night", "permission": needs}

    offered = hers.get(way).content.decode()
    sent = hers.post("/requests/new/", form)
    seen = [hers.get(one).content.decode() for one in (sent.headers["Location"], "/requests/")]
    [request] = [one.id for one in queries.requests_of(actor=eva)]
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"):
        work()
        mail.outbox = []
        access.refuse_request(actor=cast.ana, request=request, answer="Not now")
        work()

    assert "Not now" in mail.outbox[-1].body
    assert str(role) in offered, "it is offered, and can be asked for"
    for one in (offered, *seen, mail.outbox[-1].body):
        assert secret not in one
    owners = signed_in(person_of(cast.ana)).get(way).content.decode()
    assert secret in owners, "control: who may see the roles reads it"


def test_r24_what_somebody_has_they_are_offered_no_role_for(cast: Cast, eva: Actor) -> None:
    hers = signed_in(person_of(eva))

    held = hers.get("/requests/new/?permission=console:enter").content.decode()
    has = queries.allowed(actor=eva, permissions=("send:text", "template:read"))
    of_theirs = hers.get(f"/requests/new/?permission={min(has)}").content.decode()

    for page in (held, of_theirs):
        assert "<option" not in page.partition("<main")[2]


def test_r24_who_may_not_see_roles_learns_of_one_by_asking(
    cast: Cast, eva: Actor, auditor: UUID
) -> None:
    hers, owners = signed_in(person_of(eva)), signed_in(person_of(cast.ana))

    without = hers.get("/requests/new/").content.decode()
    with_one = hers.get("/requests/new/?permission=audit:read").content.decode()
    asked(eva, cast.role("Administrator"))
    [path] = set(re.findall(r"/requests/[0-9a-f-]{36}/", hers.get("/requests/").content.decode()))

    assert "<option" not in without.partition("<main")[2]
    assert len(re.findall(r'<option value="[0-9a-f-]{36}"', with_one)) == 1
    assert "What it opens" not in plain(hers.get(path).content)
    assert "What it opens" in plain(owners.get(path).content)
    every = owners.get("/requests/new/").content.decode()
    assert len(re.findall(r'<option value="[0-9a-f-]{36}"', every)) > 5
