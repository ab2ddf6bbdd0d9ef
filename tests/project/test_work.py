"""What the commands answer about a workspace, without a process for each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from cast import NOW, Cast, playing
from databases import Database
from gateway.house import WABA
from portero.domain.access import services as access
from portero.domain.access.errors import AccessDenied, InvalidRule
from portero.domain.access.models import Principal
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import InvalidLifetime
from portero.domain.audit.models import Record, RecordOpen, in_workspace
from portero.domain.workspaces import services as workspaces
from portero.domain.workspaces.models import Resource
from portero.engine import Conditions, GuardrailKind, Hours, PrincipalKind, Scope
from portero.project.cli import keys as commands
from portero.project.cli.access import _account
from portero.project.cli.output import write
from portero.project.cli.problems import ExitCode, Problem
from portero.project.cli.work import keys
from portero.project.cli.work.directory import Directory, directory
from portero.project.cli.work.people import record_link
from portero.project.cli.work.refusals import refusals_named
from portero.project.cli.work.why import Question, answer
from portero.project.demo.seed import with_dead_keys_told


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        workspaces.add_waba(actor=made.ana, meta_id=WABA, name="Tienda Andina")
        yield made


@pytest.mark.parametrize(
    "ask",
    [
        lambda known: known.actor("nobody@example.com"),
        lambda known: known.principal("nobody"),
        lambda known: known.account("nobody"),
        lambda known: known.team("nobody"),
        lambda known: known.role("nobody"),
        lambda known: known.number("nobody"),
        lambda known: known.template_set("nobody"),
        lambda known: known.key("nobody"),
    ],
)
def test_a_name_that_nothing_has_is_a_fault_of_the_command_line(
    cast: Cast, ask: Callable[[Directory], object]
) -> None:
    with pytest.raises(Problem) as raised:
        ask(directory(cast.workspace))

    assert raised.value.code == ExitCode.USAGE


def wanted(**changes: object) -> keys.Wanted:
    asked = {
        "name": "orders",
        "account": None,
        "new_account": "orders-bot",
        "role": "Agent",
        "numbers": (),
        "template_sets": (),
        "countries": (),
        "lifetime": timedelta(days=1),
        "url_compatible": False,
        **changes,
    }
    return keys.Wanted(**asked)  # type: ignore[arg-type]  # the values are of the fields' types


def names_of_accounts(cast: Cast) -> set[str]:
    known = directory(cast.workspace).state.policy.principals
    return {p.name for p in known if p.kind is PrincipalKind.SERVICE_ACCOUNT}


@pytest.mark.parametrize(
    ("fault", "raises"),
    [
        ({"name": "\n"}, InvalidRule),
        ({"countries": ("Mexico",)}, InvalidRule),
        ({"lifetime": timedelta(days=999)}, InvalidLifetime),
    ],
)
def test_a_key_that_cannot_be_made_leaves_no_account_behind(
    cast: Cast, fault: dict[str, object], raises: type[Exception]
) -> None:
    with pytest.raises(raises):
        keys.create(cast.workspace, wanted(**fault), acting=None)

    assert "orders-bot" not in names_of_accounts(cast)


def test_who_may_not_make_keys_makes_no_account_and_the_refusal_is_on_record(cast: Cast) -> None:
    with pytest.raises(AccessDenied):
        keys.create(cast.workspace, wanted(), acting="dora@example.com")

    assert "orders-bot" not in names_of_accounts(cast)
    with in_workspace(cast.workspace):
        last = Record.objects.order_by("-at").first()
    assert last is not None
    assert (last.event, last.effect) == ("api_key.created", "deny")
    assert last.actor == str(cast.dora.principal)


def test_a_key_that_can_do_nothing_is_made_with_a_word(
    cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts.create_service_account(actor=cast.ana, name="idle", accountable=cast.ana.principal)

    made = keys.create(
        cast.workspace,
        wanted(name="idler", account="idle", new_account=None, role=None),
        acting=None,
    )

    assert made["can_nothing"]
    commands._tell("idler", made, quiet=False)
    said = capsys.readouterr()
    assert said.out == f"{made['key']}\n"
    assert "this key can do nothing: no role that “idle” was given" in said.err


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "'{}'\n", "?access_token={}&x=1"])
def test_a_whole_key_is_known_in_whatever_form_it_is_pasted(cast: Cast, form: str) -> None:
    made = keys.create(
        cast.workspace, wanted(name="pasted", new_account=None, account=_idle(cast)), acting=None
    )
    known = directory(cast.workspace)

    found = known.find_key(form.format(made["key"]))

    assert found is not None
    assert str(found.id) == made["id"]
    broken = form.format(f"{made['key'][:-1]}_")
    with pytest.raises(Problem) as raised:
        known.key(broken)
    assert made["key"][:-8] not in str(raised.value)
    keys.revoke(cast.workspace, "pasted", reason="", acting=None)  # the one that lives


def _idle(cast: Cast) -> str:
    if "idle for keys" not in names_of_accounts(cast):
        accounts.create_service_account(
            actor=cast.ana, name="idle for keys", accountable=cast.ana.principal
        )
    return "idle for keys"


@pytest.mark.parametrize(
    ("kind", "details", "told"),
    [
        (GuardrailKind.REQUIRE_PASSKEY, {}, "asks for a passkey"),
        (GuardrailKind.NETWORKS, {"networks": ["127.0.0.0/8"]}, "asks for a network"),
    ],
)
def test_what_a_command_line_cannot_show_is_said_with_what_to_do_instead(
    cast: Cast, kind: GuardrailKind, details: dict[str, list[str]], told: str
) -> None:
    rule = access.create_guardrail(
        actor=cast.ana,
        name="Shop only",
        kind=kind,
        permissions=["console:enter"],
        principals=[cast.beto.principal],
        **details,  # type: ignore[arg-type]  # networks are all there are
    )

    with pytest.raises(Problem) as raised, refusals_named(cast.workspace):
        keys.create(cast.workspace, wanted(), acting="beto@example.com")
    access.retire_guardrail(actor=cast.ana, guardrail=rule)

    said = str(raised.value)
    assert f"“Shop only” {told}" in said
    assert "portero person let-in" in said
    assert "can give" not in said, "nobody could give what is missing"


def test_a_key_is_made_with_its_account_and_revoked_once(cast: Cast) -> None:
    made = keys.create(cast.workspace, wanted(new_account="made-bot"), acting=None)

    assert "made-bot" in names_of_accounts(cast)
    [listed] = [key for key in keys.listing(cast.workspace) if key["id"] == made["id"]]
    assert made["account"] == listed["account"] == "made-bot"
    assert made["account_id"] == listed["account_id"]
    assert directory(cast.workspace).account(made["account_id"]) == UUID(made["account_id"])
    assert keys.revoke(cast.workspace, made["id"], reason="", acting=None)["revoked"]
    with pytest.raises(Problem, match="revoked already"):
        keys.revoke(cast.workspace, made["id"], reason="", acting=None)


CLOSED = Hours(frozenset(range(7)), 0, 1)


def test_why_says_what_fails_in_words_and_not_in_python(
    cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    made = access.create_binding(
        actor=cast.ana,
        principal=cast.dora.principal,
        role=cast.role("Agent"),
        scope=Scope(countries=frozenset({"MX", "CO"})),
        conditions=Conditions(hours=(CLOSED,), networks=("10.0.0.0/8",), fresh_factor_s=60),
        since=NOW + timedelta(days=9000),
    )
    told = answer(cast.workspace, question(permission="send:text", own=False))
    [failing] = [
        {one["dimension"]: (one["wanted"], one["actual"]) for one in rule["failing"]}
        for check in told["checks"] for rule in check["missed"]
        if rule["binding"] == str(made)
    ]  # fmt: skip

    write("\n".join(_account(told)))

    assert failing["country"] == (["CO", "MX"], None)
    assert failing["hours"][0] == ["Mon,Tue,Wed,Thu,Fri,Sat,Sun 00:00-00:01"]
    assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [0-2]\d:[0-5]\d", failing["hours"][1])
    assert failing["since"][0].startswith("2051-07-")
    json.dumps(told)
    said = capsys.readouterr().out
    assert "country must be CO or MX, is not known" in said
    assert not re.search(r"None|frozenset|Hours\(|\['", said)


def test_why_says_when_it_is_yes_where_the_question_left_that_open(
    cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    told = answer(cast.workspace, question(permission="send:text", own=False))

    write("\n".join(_account(told)))

    said = capsys.readouterr().out
    assert not told["allowed"]
    assert said.startswith("It depends: dora, send:text")
    assert "yes, when it is within the reach “queue”" in said
    assert "smallest change" not in said
    assert "can be given by" not in said
    assert answer(cast.workspace, question(permission="send:text"))["depends"] == []


def test_why_knows_no_country_that_is_none(cast: Cast) -> None:
    with pytest.raises(Problem, match="Mexico"):
        answer(cast.workspace, question(permission="send:text", country="Mexico"))


def question(*, own: bool = True, **changes: str) -> Question:
    asked: dict[str, str | None] = dict.fromkeys(("number", "template", "country", "to", "team"))
    asked |= {"who": "dora", "permission": "send:template", **changes}
    return Question(**asked, own=own)  # type: ignore[arg-type]  # the values are of the fields' types


@pytest.mark.parametrize(
    ("attributes", "asked"),
    [
        ({"category": "UTILITY"}, {"template:use_utility"}),
        ({"category": "MARKETING"}, {"template:use_marketing"}),
        ({"category": "SERVICE"}, {"template:use_utility", "template:use_marketing", "template:use_authentication"}),
        ({}, {"template:use_utility", "template:use_marketing", "template:use_authentication"}),
    ],
)  # fmt: skip
def test_why_asks_for_the_template_s_category_as_the_gateway_does(
    cast: Cast, attributes: dict[str, str], asked: set[str]
) -> None:
    with in_workspace(cast.workspace):
        Resource.objects.filter(kind="template").delete()
        Resource.objects.create(
            kind="template", meta_id="1", parent=WABA, attributes={"name": "hello", **attributes}
        )

    told = answer(cast.workspace, question(template="hello"))

    assert {check["permission"] for check in told["checks"]} == {"send:template", *asked}
    assert told["allowed"] == (asked == {"template:use_utility"})


def test_a_link_to_a_password_stands_on_record_wherever_its_person_is(cast: Cast) -> None:
    with in_workspace(cast.workspace):
        person = Principal.objects.get(id=cast.beto.principal).person_id
    accounts.add_person(actor=cast.carla, email="beto@example.com", name="Beto")

    record_link(person, new_factors=True, acting="dora@example.com")

    for workspace, who in ((cast.workspace, cast.dora), (cast.carla.workspace, cast.carla)):
        with in_workspace(workspace):
            record = Record.objects.get(event="sign_in_link.made")
            body = RecordOpen.objects.get(call_id=record.call_id).body
        assert (record.effect, record.actor) == ("allow", who.id)
        assert body["new_factors"]


@pytest.mark.parametrize("acting", ["carla@example.com", "nobody@example.com"])
def test_who_is_nowhere_near_makes_no_link(cast: Cast, acting: str) -> None:
    with in_workspace(cast.workspace):
        person = Principal.objects.get(id=cast.dora.principal).person_id

    with pytest.raises(Problem):
        record_link(person, new_factors=False, acting=acting)


def test_a_demo_tells_which_of_its_keys_ended(cast: Cast) -> None:
    account = _idle(cast)
    told = []
    for name in ("goes on", "ends"):
        made = keys.create(
            cast.workspace, wanted(name=name, new_account=None, account=account), acting=None
        )
        told.append({"name": name, "key": made["key"], "may": "everything"})
    told.append({"name": "old", "key": "ptr_svc_of_another_release", "may": "nothing: it expired"})
    keys.revoke(cast.workspace, "ends", reason="", acting=None)

    document = with_dead_keys_told(
        {"workspace": {"id": str(cast.workspace)}, "keys": told, "numbers": []}
    )

    assert [key["may"] for key in document["keys"]] == [
        "everything", "nothing any more: it was revoked or has expired", "nothing: it expired"
    ]  # fmt: skip
    assert document["numbers"] == []
