"""The page tells of a call what the log says of it: once, and as it ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import pytest
from django.utils.translation import override

from cast import Cast, playing
from databases import Database
from portero.console.activity import Line, activity
from portero.console.words import ENGLISH, SPANISH, Words
from portero.domain.access import services as access
from portero.domain.audit.models import in_workspace
from portero.domain.audit.services import write_record
from portero.domain.workspaces import services as workspaces
from portero.engine import GuardrailKind
from portero.store.ids import uuid7
from portero.store.records import Outcome, Record, RecordKind


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


def intent(cast: Cast, **changes: object) -> Record:
    said = {
        "workspace": cast.workspace,
        "call": uuid7(),
        "kind": RecordKind.INTENT,
        "event": "message.sent",
        "operation": "send_message",
        "effect": "allow",
        "reason": "allowed",
        "policy_version": 1,
        "actor": str(cast.dora.principal),
        "checks": ("send:text",),
        **changes,
    }
    return Record(**said)  # type: ignore[arg-type]  # the values are of the fields' types


def outcome(of: Record, outcome: Outcome, **changes: object) -> Record:
    said = {"reason": str(outcome), "outcome": outcome, "attempt": of.attempt, **changes}
    return intent_like(of, kind=RecordKind.OUTCOME, **said)


def intent_like(of: Record, **changes: object) -> Record:
    return replace(of, **changes)  # type: ignore[arg-type]  # the values are of the fields' types


def shown(
    cast: Cast, *records: Record, words: Words = ENGLISH, sees: Collection[str] = ()
) -> list[Line]:
    """Every line that the page has more of since."""
    before = len(activity(cast.workspace, words).calls)
    with in_workspace(cast.workspace):
        for record in records:
            write_record(record)
    with override(words.code):
        lines = activity(cast.workspace, words, sees).calls
    return list(lines[: len(lines) - before])


@pytest.mark.parametrize(
    ("ended", "body", "tone", "says", "did"),
    [
        (Outcome.DONE, {"status": 200}, "ok", "Done", "sent a text"),
        (Outcome.FAILED, {"status": 400}, "warn", "Meta turned it down", "wanted to send a text"),
        (Outcome.FAILED, {"why": "client_gone"}, "warn", "Broken off", "wanted to send a text"),
        (Outcome.PARTIAL, {"status": 400}, "warn", "Done in part", "wanted to send a text"),
        (Outcome.STOPPED, {}, "warn", "Nothing was sent", "wanted to send a text"),
        (Outcome.UNKNOWN, {}, "wait", "We don't know yet whether it arrived", "wanted to send a text"),
    ],
)  # fmt: skip
def test_a_call_ended_as_its_outcome_says(
    cast: Cast, ended: Outcome, body: dict[str, object], tone: str, says: str, did: str
) -> None:
    asked = intent(cast)

    [line] = shown(cast, asked, outcome(asked, ended, body=body))

    assert (line.tone, line.outcome, line.did) == (tone, says, did)
    assert (line.because, line.code) == ("", "")


def test_a_call_without_an_outcome_is_under_way(cast: Cast) -> None:
    [line] = shown(cast, intent(cast))

    assert (line.tone, line.outcome) == ("wait", "Under way")


def test_a_call_that_was_decided_twice_is_one_line(cast: Cast) -> None:
    first = intent(cast)
    second = intent_like(first, attempt=2)

    [line] = shown(cast, first, second, outcome(second, Outcome.DONE))

    assert line.outcome == "Done"


@pytest.mark.parametrize(
    ("words", "says"),
    [(ENGLISH, "The rule moved."), (SPANISH, SPANISH.reasons["outside_scope"])],
    ids=["en", "es"],
)
def test_a_call_refused_after_it_was_admitted_is_refused_with_its_reason(
    cast: Cast, words: Words, says: str
) -> None:
    asked = intent(cast)
    refused = outcome(
        asked, Outcome.STOPPED, attempt=2, effect="deny", reason="outside_scope",
        body={"sentence": "The rule moved."},
    )  # fmt: skip

    [line] = shown(cast, asked, refused, words=words)

    assert (line.tone, line.outcome) == ("stop", words.refused)
    assert (line.because, line.code) == (says, "outside_scope")


# What a refused call lacked

VENTAS, SOPORTE = "106540352242922", "106540352242923"


@pytest.fixture(scope="module")
def numbers(cast: Cast) -> None:
    waba = workspaces.add_waba(actor=cast.ana, meta_id="102290129340398", name="Andina")
    for meta_id, name in ((VENTAS, "Ventas"), (SOPORTE, "Soporte")):
        workspaces.add_number(
            actor=cast.ana, waba=waba, meta_id=meta_id, display="+1 555", name=name, country="MX"
        )


def refused(cast: Cast, **body: object) -> Record:
    return intent(
        cast,
        effect="deny",
        reason="outside_scope",
        checks=("send:template", "template:use_utility"),
        body={"sentence": f"Let the binding “Secret” also cover the number {SOPORTE}.", **body},
    )


@pytest.mark.usefixtures("numbers")
@pytest.mark.parametrize(
    ("words", "sees", "says"),
    [
        (ENGLISH, {"number:read"}, (
            "Needed: Send approved templates.", "Given for numbers: Ventas.", "Asked: Soporte.",
            "Given for countries: MX.", "Asked: ES.",
        )),
        (SPANISH, {"number:read"}, (
            "Hacía falta: Enviar plantillas aprobadas.", "Se dio para números: Ventas.",
            "Se pidió: Soporte.", "Se dio para países: MX.", "Se pidió: ES.",
        )),
        (SPANISH, set(), (
            "Hacía falta: Enviar plantillas aprobadas.", "Fuera de lo que se dio: número.",
            "Se dio para países: MX.", "Se pidió: ES.",
        )),
    ],
    ids=["en", "es", "without a sight of numbers"],
)  # fmt: skip
def test_a_refused_call_says_which_check_failed_and_what_was_missing(
    cast: Cast, words: Words, sees: set[str], says: tuple[str, ...]
) -> None:
    facts = {
        "permission": "send:template",
        "failing": [["number", [VENTAS], SOPORTE], ["country", ["MX"], "ES"]],
    }

    [line] = shown(cast, refused(cast, refused=facts), words=words, sees=sees)

    assert line.lacked == says
    assert line.because == words.reasons["outside_scope"]
    assert sees or not {"Ventas", "Soporte", "Secret"} & set(" ".join(line.lacked).split())


def test_a_reach_is_told_and_an_hour_is_left_to_the_reason(cast: Cast) -> None:
    facts = {
        "permission": "send:text",
        "failing": [["reach", "queue", "team"], ["hours", "Mon 09:00-18:00", "Sun 10:00"]],
    }

    [line] = shown(cast, refused(cast, refused=facts))

    assert line.lacked[1:] == (
        "The role gives it with the reach “My queue”.", "This needs “Team”."
    )  # fmt: skip


def test_without_facts_the_checks_are_named(cast: Cast) -> None:
    [line] = shown(cast, refused(cast))

    assert line.lacked == (
        "Needed: Send approved templates, Send templates of the utility category.",
    )


def test_a_guardrail_is_named_to_who_may_see_it(cast: Cast) -> None:
    rule = access.create_guardrail(
        actor=cast.ana, name="Sin promos", kind=GuardrailKind.DENY, permissions=["call:place"]
    )

    for sees, named in (({"role:read"}, True), (set(), False)):
        record = intent(
            cast, effect="deny", reason="blocked_by_guardrail", because=(str(rule),),
            checks=("call:place",), body={"sentence": "The guardrail “Sin promos” does not let it."},
        )  # fmt: skip
        [line] = shown(cast, record, sees=sees)

        assert ("Guardrail: Sin promos." in line.lacked) is named
        assert "Sin promos" not in line.because
