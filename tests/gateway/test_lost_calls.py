"""Calls that were admitted and then lost: what is recorded of them, and what the caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from gateway.house import BUSINESS, House, Key, Workspace, error_of, text
from portero.gateway import process
from portero.gateway.answering import Answering
from portero.gateway.workspaces import Workspaces
from portero.store.admission import Unavailable
from portero.store.presence import LeaseLapsed, PolicyMoved, Presence
from portero.store.recorder import Recorder

SEND = {"send:text": "all"}
AGAIN = {"idempotency-key": "once"}


@pytest.fixture
def key(house: House) -> Key:
    return house.workspace.key(SEND)


def raising_once(error: Exception, then: Callable[..., Any]) -> Callable[..., Any]:
    left = [error]

    def called(*given: Any, **more: Any) -> Any:
        if left:
            raise left.pop()
        return then(*given, **more)

    return called


def outcomes(workspace: Workspace) -> list[tuple[str, str, int]]:
    """(outcome, reason, attempts upstream) of every outcome on record."""
    return [
        (r["outcome"], r["reason"], r["upstream_attempt"])
        for r in workspace.records()
        if r["kind"] == "outcome"
    ]


def moved_then(
    monkeypatch: pytest.MonkeyPatch, house: House, second: Exception, times: int = 1
) -> None:
    """The policy moves before the first byte, and the second admission fails."""
    errors = [PolicyMoved(1) for _ in range(times)]
    require, admit = Presence.require, Recorder.admit
    admitted = []

    def moving(self: Presence, *given: Any) -> None:
        if errors:
            raise errors.pop()
        require(self, *given)

    async def failing(self: Recorder, admission: Any) -> Any:
        admitted.append(admission)
        if len(admitted) == 2:
            raise second
        return await admit(self, admission)

    monkeypatch.setattr(Presence, "require", moving)
    monkeypatch.setattr(Recorder, "admit", failing)


@pytest.mark.parametrize(
    "second", [Unavailable(), ConnectionRefusedError(), RuntimeError("nobody foresaw")]
)
def test_what_never_sent_a_byte_ended_stopped_and_may_be_tried_again(
    house: House, key: Key, monkeypatch: pytest.MonkeyPatch, second: Exception
) -> None:
    before = len(outcomes(house.workspace))
    with monkeypatch.context() as patch:
        moved_then(patch, house, second)
        lost = house.send(key, text(), headers=AGAIN)

    house.loop.run(house.gateway.parts.recorder.settled())
    assert error_of(lost) == (503, 2, None, "unavailable")
    assert house.sandbox.ledger() == []
    [ended] = outcomes(house.workspace)[before:]
    assert (ended[0], ended[2]) == ("stopped", 0)
    assert (
        house.send(key, text(), headers={"idempotency-key": f"once {second!r}"}).status_code == 200
    )
    assert house.send(key, text(), headers=AGAIN).status_code == 200


def test_what_may_have_been_done_is_never_told_to_be_tried_again(
    house: House, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise asyncpg.InterfaceError("the database went away behind the answer")

    monkeypatch.setattr(Answering, "finish", broken)

    lost = house.send(key, text(), headers={"idempotency-key": "left"})

    house.loop.run(house.gateway.parts.recorder.settled())
    assert error_of(lost) == (504, 2, None, "outcome_unknown")
    assert "retry-after" not in lost.headers
    assert len(house.sandbox.ledger()) == 1
    ended = [r for r in house.workspace.records() if r["kind"] == "outcome"][-1]
    assert (ended["outcome"], ended["upstream_attempt"]) == ("unknown", 1)
    assert str(ended["call_id"]) == lost.json()["error"]["fbtrace_id"]
    again = house.send(key, text(), headers={"idempotency-key": "left"})
    assert error_of(again) == (409, 2, None, "idempotency_in_progress")


def test_a_read_that_was_lost_may_be_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = house.workspace.key({"number:read": "all"})

    async def broken(*_: Any) -> None:
        raise RuntimeError("nobody foresaw")

    monkeypatch.setattr(Answering, "finish", broken)

    lost = house.gateway.http.get("/v23.0/100000000000101", headers=key.headers)

    assert error_of(lost) == (503, 2, None, "unavailable")


def test_a_call_above_accounts_says_that_no_token_is_there(house: House) -> None:
    key = house.workspace.key()
    with house.workspace.change() as db:
        db.execute(
            "UPDATE credential SET retired_at = now() WHERE workspace_id = %s",
            [house.workspace.id],
        )
    try:
        refused = house.gateway.http.get(
            f"/v23.0/{BUSINESS}/owned_whatsapp_business_accounts", headers=key.headers
        )
    finally:
        with house.workspace.change() as db:
            db.execute(
                "UPDATE credential SET retired_at = NULL WHERE workspace_id = %s",
                [house.workspace.id],
            )

    assert error_of(refused) == (503, 2, None, "unavailable")
    assert "no Meta token" in refused.json()["error"]["error_data"]["details"]


def test_a_requirement_that_is_not_met_names_its_guardrail(house: House, key: Key) -> None:
    rule = {"permissions": ["send:text"], "principals": [str(key.account)]}
    guardrail = house.workspace.guardrail("require_consent", rule, name="Ask first")

    refused = house.send(key, text())

    [record] = [
        r
        for r in house.workspace.records()
        if str(r["call_id"]) == refused.json()["error"]["fbtrace_id"]
    ]
    assert record["because"] == [str(guardrail)]
    assert record["checks"] == ["send:text"]
    assert "require:consent" in record["obligations"]
    assert "“Ask first” asks for consent" in record["body"]["sentence"]


def test_a_process_stops_in_order_although_the_database_is_away() -> None:
    told: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            told.append("cancelled")

    async def refused() -> None:
        raise ConnectionRefusedError

    async def last() -> None:
        told.append("last")

    async def go() -> None:
        async with process._running(work(), first=refused, last=last):
            await asyncio.sleep(0)

    asyncio.run(go())

    assert told == ["cancelled", "last"]


@pytest.mark.parametrize("error", [LeaseLapsed(), PolicyMoved(1), ConnectionResetError()])
def test_i7_a_state_that_cannot_be_loaded_denies(
    house: House, key: Key, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def failing(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Workspaces, "current", failing)

    assert house.send(key, text()).status_code == 503
    assert house.sandbox.ledger() == []
