"""A screen is told that something changed, as long as its page is its reader's to see, and no longer."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import person_of, signed_in, with_an_app
from databases import Database
from live.streaming import ORIGIN, Screen, streams
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.accounts.sessions import digest_of
from portero.engine import ENTER_CONSOLE, Conditions, GuardrailKind, HolderKind, Metric, Per, Reach
from portero.live.policies import Policies
from portero.live.process import POOL
from portero.live.watching import BLIND_S

_numbers = itertools.count(1)
END_S = 1.0  # a right that is gone ends the streams that need it within this


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        with_an_app(person_of(made.ana))
        yield made


@pytest.fixture(scope="module")
def live(shared_database: Database, cast: Cast) -> Iterator[str]:
    with streams(shared_database) as url:
        yield url


class Reader:
    """Somebody who may read the log by one binding, signed in once."""

    def __init__(self, cast: Cast, **how: object) -> None:
        n = next(_numbers)
        address = f"reader{n}@live.example"
        self.principal = accounts.add_person(actor=cast.ana, email=address, name=f"Reader {n}")
        self.role = access.create_role(
            actor=cast.ana, name=f"Reads {n}", cells={"audit:read": Reach.ALL}
        )
        self.binding = access.create_binding(
            actor=cast.ana, principal=self.principal, role=self.role, **how
        )
        self.person = Person.objects.get_by_natural_key(address)
        with_an_app(self.person)
        self.browser = signed_in(self.person)
        self.actor = replace(cast.ana, principal=self.principal)

    def ticket(self, permission: str | None = "audit:read") -> str:
        return ticket_of(self.browser, self.actor, permission)


def ticket_of(browser: Client, actor: Actor, permission: str | None = "audit:read") -> str:
    return accounts.open_stream_ticket(
        actor=actor, session=digest_of(browser.session.session_key), permission=permission
    )


def test_what_happens_is_told_and_nothing_of_what(cast: Cast, live: str) -> None:
    screen = Screen(live, Reader(cast).ticket())
    access.create_team(actor=cast.ana, name=f"Team {next(_numbers)}")

    screen.hears("policy")
    screen.hears("records")
    assert {event for _, event in screen.told} == {"policy", "records"}


def test_r24_another_workspace_is_not_heard(cast: Cast, live: str) -> None:
    screen = Screen(live, Reader(cast).ticket())
    access.create_team(actor=cast.carla, name=f"Far {next(_numbers)}")
    time.sleep(0.8)

    assert screen.told == []


@pytest.mark.parametrize("n", range(3))
def test_a_ticket_opens_one_stream(cast: Cast, live: str, n: int) -> None:
    ticket = Reader(cast).ticket()

    first, second = Screen(live, ticket), Screen(live, ticket)

    assert (first.status, second.status) == (200, 403)


def test_a_ticket_is_good_for_a_minute(cast: Cast, live: str, shared_database: Database) -> None:
    reader = Reader(cast)
    ticket = reader.ticket()
    with psycopg.connect(shared_database.dsn()) as connection:
        row = connection.execute(
            "UPDATE stream_ticket SET expires_at = expires_at - interval '61 s'"
            " WHERE principal_id = %s RETURNING expires_at + interval '61 s' - clock_timestamp()",
            [reader.principal],
        ).fetchone()

    assert row is not None
    assert timedelta(seconds=50) < row[0] <= timedelta(seconds=60)
    assert Screen(live, ticket).status == 403


def test_only_a_digest_of_a_ticket_is_kept(cast: Cast, shared_database: Database) -> None:
    ticket = Reader(cast).ticket()
    with psycopg.connect(shared_database.dsn()) as connection:
        rows = connection.execute("SELECT stream_ticket::text FROM stream_ticket").fetchall()

    assert ticket.partition(".")[2] not in str(rows)


@pytest.mark.parametrize(
    "ticket", ["", "x", "0" * 32 + "." + "a" * 43, "a" * 5000, "\0", "0" * 32 + "." + "é" * 43]
)
def test_what_is_no_ticket_opens_nothing(live: str, ticket: str) -> None:
    assert Screen(live, ticket).status == 403


def test_a_ticket_of_one_workspace_opens_nothing_in_another(cast: Cast, live: str) -> None:
    ticket = Reader(cast).ticket()
    elsewhere = f"{cast.carla.workspace.hex}.{ticket.partition('.')[2]}"

    assert Screen(live, elsewhere).status == 403


def test_a_ticket_for_what_one_may_not_see_opens_nothing(cast: Cast, live: str) -> None:
    assert Screen(live, Reader(cast).ticket("role:update")).status == 403


def taken(cast: Cast, reader: Reader) -> None:
    access.revoke_binding(actor=cast.ana, binding=reader.binding)


def suspended(cast: Cast, reader: Reader) -> None:
    accounts.suspend(actor=cast.ana, principal=reader.principal, reason="")


def removed(cast: Cast, reader: Reader) -> None:
    accounts.remove(actor=cast.ana, principal=reader.principal, reason="")


def signed_out(_cast: Cast, reader: Reader) -> None:
    reader.browser.post("/logout/")


def ended_by_somebody(cast: Cast, reader: Reader) -> None:
    accounts.end_sessions_of(actor=cast.ana, principal=reader.principal)


def signed_out_of_here(cast: Cast, reader: Reader) -> None:
    """A member of another workspace, too."""
    accounts.add_person(actor=cast.carla, email=reader.person.email, name="Reader")
    ended_by_somebody(cast, reader)


def emptied(cast: Cast, reader: Reader) -> None:
    access.update_role(actor=cast.ana, role=reader.role, cells={"role:read": Reach.ALL})


def denied(cast: Cast, reader: Reader) -> None:
    access.create_guardrail(
        actor=cast.ana,
        name="No more",
        kind=GuardrailKind.DENY,
        permissions=["audit:read"],
        principals=[reader.principal],
    )


def bound_to_a_network(cast: Cast, reader: Reader) -> None:
    access.replace_binding(
        actor=cast.ana,
        binding=reader.binding,
        role=reader.role,
        conditions=Conditions(networks=("203.0.113.0/24",)),
    )


def kept_outside(cast: Cast, reader: Reader) -> None:
    access.create_guardrail(
        actor=cast.ana,
        name="From the shop",
        kind=GuardrailKind.NETWORKS,
        permissions=[ENTER_CONSOLE],
        principals=[reader.principal],
        networks=["203.0.113.0/24"],
    )


def test_a20_a_stream_of_every_members_page_ends_with_the_way_in(cast: Cast, live: str) -> None:
    reader = Reader(cast)
    screen = Screen(live, reader.ticket(permission=None))
    other = Screen(live, Reader(cast).ticket(permission=None))

    kept_outside(cast, reader)

    screen.has_ended()
    assert other.ended_at is None
    assert Screen(live, reader.ticket(permission=None)).status == 403


@pytest.mark.parametrize(
    "end",
    [
        taken,
        suspended,
        removed,
        signed_out,
        ended_by_somebody,
        signed_out_of_here,
        emptied,
        denied,
        bound_to_a_network,
        kept_outside,
    ],
)
def test_w15_b2_3_a_right_that_is_gone_ends_the_streams_within_a_second(
    cast: Cast, live: str, end: Callable[[Cast, Reader], None]
) -> None:
    reader = Reader(cast)
    screens = [Screen(live, reader.ticket()) for _ in range(3)]
    other = Screen(live, Reader(cast).ticket())

    end(cast, reader)
    done = time.monotonic()

    for screen in screens:
        assert screen.has_ended() - done < END_S
        assert screen.told[-1][1] == "gone"
    assert other.ended_at is None
    assert Screen(live, reader.ticket()).status == 403


def test_an_end_that_comes_by_itself_ends_the_stream(
    cast: Cast, live: str, shared_database: Database
) -> None:
    reader = Reader(cast)
    screen = Screen(live, reader.ticket())
    with psycopg.connect(shared_database.dsn()) as connection:
        connection.execute(
            "UPDATE session SET seen_at = clock_timestamp() - interval '31 min' WHERE person_id = %s",
            [reader.person.pk],
        )
    done = time.monotonic()

    assert screen.has_ended() - done < END_S


def test_b2_2_an_owner_s_stream_ends_sooner(
    cast: Cast, live: str, shared_database: Database
) -> None:
    reader, owner = Reader(cast), signed_in(person_of(cast.ana))
    theirs, anas = Screen(live, reader.ticket()), Screen(live, ticket_of(owner, cast.ana))
    with psycopg.connect(shared_database.dsn()) as connection:
        connection.execute(
            "UPDATE session SET seen_at = clock_timestamp() - interval '16 min' WHERE person_id = ANY(%s)",
            [[reader.person.pk, person_of(cast.ana).pk]],
        )

    anas.has_ended()
    assert theirs.ended_at is None


def test_b2_2_so_does_that_of_who_holds_what_is_critical(
    cast: Cast, live: str, shared_database: Database
) -> None:
    reader, strong = Reader(cast), Reader(cast)
    role = access.create_role(
        actor=cast.ana, name=f"Makes keys {next(_numbers)}", cells={"api_key:create": Reach.ALL}
    )
    access.create_binding(actor=cast.ana, principal=strong.principal, role=role)
    theirs, strongs = Screen(live, reader.ticket()), Screen(live, strong.ticket())
    with psycopg.connect(shared_database.dsn()) as connection:
        connection.execute(
            "UPDATE session SET seen_at = clock_timestamp() - interval '16 min' WHERE person_id = ANY(%s)",
            [[reader.person.pk, strong.person.pk]],
        )

    strongs.has_ended()
    assert theirs.ended_at is None


def test_a_limit_on_everything_ends_no_stream(cast: Cast, live: str) -> None:
    """It counts what goes through the gateway."""
    reader = Reader(cast)
    screen = Screen(live, reader.ticket())
    limit = access.create_limit(
        actor=cast.ana,
        holder_kind=HolderKind.WORKSPACE,
        metric=Metric.REQUESTS,
        per=Per.SECOND,
        amount=10,
    )

    screen.hears("policy")
    assert Screen(live, reader.ticket()).status == 200
    access.retire_limit(actor=cast.ana, limit=limit)
    assert screen.ended_at is None


def test_another_session_of_the_same_person_stays(cast: Cast, live: str) -> None:
    reader = Reader(cast)
    here, there = Screen(live, reader.ticket()), signed_in(reader.person)
    elsewhere = Screen(live, ticket_of(there, reader.actor))

    reader.browser.post("/logout/")

    here.has_ended()
    assert elsewhere.ended_at is None


def test_a_policy_that_moved_before_the_stream_opened_is_told_at_once(
    cast: Cast, live: str
) -> None:
    ticket = Reader(cast).ticket()
    access.create_team(actor=cast.ana, name=f"Between {next(_numbers)}")

    Screen(live, ticket).hears("policy", within_s=2)


def test_nobody_holds_more_than_a_few(cast: Cast, live: str) -> None:
    reader = Reader(cast)
    screens = [Screen(live, reader.ticket()) for _ in range(10)]

    for oldest in screens[:2]:
        oldest.has_ended()
    assert all(one.ended_at is None for one in screens[2:])


def test_another_origin_gets_nothing(cast: Cast, live: str) -> None:
    ticket = Reader(cast).ticket()
    answers = [
        httpx.get(f"{live}/live/events", params={"ticket": ticket}, headers={"Origin": origin})
        for origin in ("https://evil.example", "null", "http://localhost:8001")
    ]

    assert [one.status_code for one in answers] == [403, 403, 403]
    assert all("access-control-allow-origin" not in one.headers for one in answers)
    assert Screen(live, ticket).status == 200  # and the ticket was not spent by them


def test_control_its_own_origin_may_read_what_it_is_refused(live: str) -> None:
    answer = httpx.get(f"{live}/live/events", headers={"Origin": ORIGIN})

    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_a_page_gets_a_ticket_for_itself_and_for_no_other_thing(cast: Cast, live: str) -> None:
    ana = signed_in(person_of(cast.ana))

    made = ana.post("/stream-ticket/", {"page": "/"}).json()["url"]
    wrong = [
        ana.post("/stream-ticket/", {"page": page}).status_code
        for page in ("", "/login/", "/no/such", "/people/invite/save/", "https://evil.example/")
    ]

    assert Screen(live, made.partition("ticket=")[2]).status == 200
    assert set(wrong) == {404}


def test_a_database_that_is_away_ends_every_stream(
    cast: Cast, live: str, shared_database: Database
) -> None:
    """Nobody is shown anything on what was known before."""
    screen = Screen(live, Reader(cast).ticket())
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s"
    )
    with psycopg.connect(
        shared_database.cluster.dsn("superuser", "postgres"), autocommit=True
    ) as c:
        c.execute(f'ALTER DATABASE "{shared_database.name}" ALLOW_CONNECTIONS false')
        try:
            ended = 0.0
            began = time.monotonic()
            while screen.ended_at is None and time.monotonic() - began < 5:
                c.execute(cut, [shared_database.name, "portero_app_login"])
                c.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [shared_database.name],
                )
                time.sleep(0.05)
            ended = screen.has_ended() - began
        finally:
            c.execute(f'ALTER DATABASE "{shared_database.name}" ALLOW_CONNECTIONS true')

    assert ended < 2 * END_S
    from django.db import connections

    connections.close_all()
    deadline = time.monotonic() + 10  # and it comes back
    while Screen(live, Reader(cast).ticket()).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_w15_what_nobody_foresaw_ends_the_streams_and_not_the_watch(
    cast: Cast, live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong with a look: what was not looked at is closed, and others are looked at on."""
    screen = Screen(live, Reader(cast).ticket())

    async def broken(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(Policies, "at_head", broken)
    began = time.monotonic()
    assert screen.has_ended() - began < 2 * END_S
    monkeypatch.undo()

    reader = Reader(cast)
    again = Screen(live, reader.ticket())
    assert again.status == 200
    taken(cast, reader)
    again.has_ended(within_s=2)


def looks_that_hang(monkeypatch: pytest.MonkeyPatch, workspace: UUID) -> Event:
    """Until the event is set."""
    looks, over = Policies.at_head, Event()

    async def at_head(self: Policies, connection: Any, one: UUID, version: int) -> Any:
        while one == workspace and not over.is_set():
            await asyncio.sleep(0.05)
        return await looks(self, connection, one, version)

    monkeypatch.setattr(Policies, "at_head", at_head)
    return over


def test_t10_a_workspace_that_is_slow_to_look_at_delays_no_other(
    cast: Cast, live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Screen(live, ticket_of(signed_in(person_of(cast.carla)), cast.carla))
    mine = Screen(live, Reader(cast).ticket())
    over = looks_that_hang(monkeypatch, cast.carla.workspace)

    delays = []
    for _ in range(6):
        began = time.monotonic()
        mine.told.clear()
        access.create_team(actor=cast.ana, name=f"Team {next(_numbers)}")
        delays.append(mine.hears("policy") - began)

    assert mine.ended_at is None
    assert max(delays) < BLIND_S / 2, delays
    theirs.has_ended()  # what is not seen is closed
    over.set()


def test_t10_many_pages_of_one_workspace_that_open_slowly_close_no_stream_of_another(
    cast: Cast, live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, browser = Screen(live, Reader(cast).ticket()), signed_in(person_of(cast.carla))
    tickets = [ticket_of(browser, cast.carla) for _ in range(2 * POOL)]
    over = looks_that_hang(monkeypatch, cast.carla.workspace)

    with ThreadPoolExecutor(len(tickets)) as threads:
        opening = [threads.submit(Screen, live, ticket) for ticket in tickets]
        try:
            time.sleep(3 * BLIND_S)  # they hold what they can get
            access.create_team(actor=cast.ana, name=f"Team {next(_numbers)}")
            mine.hears("policy")
            assert mine.ended_at is None
            assert not any(one.done() for one in opening)
        finally:
            over.set()
    assert any(one.result().status == 200 for one in opening)


def test_streams_start_without_django() -> None:
    code = "import portero.live.process, sys; print('django' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
