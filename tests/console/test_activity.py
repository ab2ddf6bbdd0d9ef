"""The page tells of a call what the log says of it: once, and as it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cast import Cast, playing
from databases import Database
from portero.console.activity import Line, activity
from portero.console.words import ENGLISH, SPANISH, Words
from portero.domain.audit.models import in_workspace
from portero.domain.audit.services import write_record
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


def shown(cast: Cast, *records: Record, words: Words = ENGLISH) -> list[Line]:
    """Every line that the page has more of since."""
    before = len(activity(cast.workspace, words).calls)
    with in_workspace(cast.workspace):
        for record in records:
            write_record(record)
    lines = activity(cast.workspace, words).calls
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
