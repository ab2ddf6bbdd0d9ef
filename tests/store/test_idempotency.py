"""One effect per idempotency key, whoever comes first and however it ends."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from portero.store import idempotency
from portero.store.admission import Admission, Admitted, Note, Repeated, Verdict
from portero.store.idempotency import Claim, Settled
from portero.store.ids import uuid7
from portero.store.records import Outcome, RecordKind
from store.shop import Shop, connected, connector, limit_of, recording, tally


def keyed(shop: Shop, key: str = "order-1", **changes: Any) -> Admission:
    """A call under an idempotency key; `changes` are the claim's, and `takes` the call's."""
    takes = changes.pop("takes", ())
    record = shop.intent()
    return shop.admission(record=record, takes=takes, claim=shop.claim(record.call, key, **changes))


def ended(admission: Admission, state: str, *answer: Any) -> Note:
    assert admission.claim is not None
    outcome = Outcome.UNKNOWN if state == "unknown" else Outcome.DONE
    record = admission.record.ended(outcome, outcome)
    return Note(record=record, settled=Settled(admission.claim, state, *answer))


def ask(shop: Shop, *steps: Admission | Note, processes: int = 1) -> list[Verdict | None]:
    """Take the steps one after the other; returns what each was told."""

    async def go() -> list[Verdict | None]:
        told: list[Verdict | None] = []
        async with recording(connector(shop.database)) as recorder:
            for step in steps:
                if isinstance(step, Admission):
                    told.append(await recorder.admit(step))
                else:
                    told.append(await recorder.note(step))
        return told

    return asyncio.run(go())


def test_the_same_request_again_is_given_the_first_answer(shop: Shop) -> None:
    first, again = keyed(shop), keyed(shop)

    _, _, verdict = ask(shop, first, ended(first, "done", 200, b"sealed answer"), again)

    assert isinstance(verdict, Repeated)
    assert verdict.replayed
    assert verdict.earlier.call == first.record.call
    assert (verdict.earlier.status, verdict.earlier.answer) == (200, b"sealed answer")
    [record] = shop.records(RecordKind.EVENT)
    assert (record["effect"], record["reason"]) == ("allow", "repeated")
    assert record["body"]["first_call"] == str(first.record.call)


def test_another_request_under_the_same_key_is_a_conflict(shop: Shop) -> None:
    first, other = keyed(shop), keyed(shop, digest=b"another body")

    _, _, verdict = ask(shop, first, ended(first, "done", 200, b"sealed"), other)

    assert isinstance(verdict, Repeated)
    assert not verdict.same_request
    assert not verdict.replayed
    [record] = shop.records(RecordKind.EVENT)
    assert (record["effect"], record["reason"]) == ("deny", "idempotency_key_reused")


@pytest.mark.parametrize("state", ["running", "unknown"])
def test_while_nobody_knows_how_the_first_ended_there_is_no_second(shop: Shop, state: str) -> None:
    first = keyed(shop)
    end = [ended(first, "unknown")] if state == "unknown" else []

    *_, one, two = ask(shop, first, *end, keyed(shop), keyed(shop))

    for verdict in (one, two):
        assert isinstance(verdict, Repeated)
        assert (verdict.earlier.state, verdict.replayed) == (state, False)
    assert [r["reason"] for r in shop.records(RecordKind.EVENT)] == ["idempotency_in_progress"] * 2


def test_a_key_is_free_again_when_nothing_was_sent(shop: Shop) -> None:
    first, second = keyed(shop), keyed(shop)

    told = ask(shop, first, ended(first, "released"), second)

    assert isinstance(told[-1], Admitted)


def test_what_ended_is_not_ended_again_by_who_came_before(shop: Shop) -> None:
    first, second = keyed(shop), keyed(shop)
    steps = (first, ended(first, "released"), second)
    late = Note(
        record=shop.intent(kind=RecordKind.EVENT),
        settled=Settled(first.claim, "done", 200, b"the first's") if first.claim else None,
    )

    ask(shop, *steps, late)

    [row] = shop.rows("SELECT state, call_id FROM idempotency WHERE workspace_id = %s")
    assert (row["state"], row["call_id"]) == ("running", second.record.call)


@pytest.mark.parametrize("processes", [1, 4])
def test_of_twenty_at_once_exactly_one_is_admitted(shop: Shop, processes: int) -> None:
    async def go() -> list[Verdict]:
        async with AsyncExitStack() as stack:
            recorders = [
                await stack.enter_async_context(recording(connector(shop.database)))
                for _ in range(processes)
            ]
            asked = [recorders[n % processes].admit(keyed(shop)) for n in range(20)]
            return await asyncio.gather(*asked)

    assert tally(asyncio.run(go())) == {"Admitted": 1, "Repeated": 19}
    assert len(shop.records()) == 1


def test_a_limit_that_refuses_frees_the_key(shop: Shop) -> None:
    limit = limit_of(1)

    told = ask(
        shop,
        keyed(shop, "one", takes=(limit,)),
        keyed(shop, "two", takes=(limit,)),
        keyed(shop, "two"),
    )

    assert [type(verdict).__name__ for verdict in told] == ["Admitted", "Refused", "Admitted"]


def test_a_repetition_takes_from_no_limit(shop: Shop) -> None:
    limit = limit_of(2)

    told = ask(shop, *(keyed(shop, key, takes=(limit,)) for key in ("a", "a", "a", "b")))

    assert [type(verdict).__name__ for verdict in told] == [
        "Admitted", "Repeated", "Repeated", "Admitted",
    ]  # fmt: skip


def test_a_key_belongs_to_workspace_principal_and_operation(shop: Shop) -> None:
    other = Shop.open(shop.database)
    calls = [
        keyed(shop),
        keyed(other),
        keyed(shop, principal="another bot"),
        keyed(shop, operation="upload_media"),
    ]

    assert tally(ask(shop, *calls)) == {"Admitted": 4}


class Interfering:
    """A connection on which something happens just before a query is asked."""

    def __init__(self, connection: Any, query: str, before: Any) -> None:
        self._connection = connection
        self._query = query
        self._before = before

    async def fetch(self, query: str, *arguments: Any) -> Any:
        if query == self._query and self._before is not None:
            happens, self._before = self._before, None
            await happens()
        return await self._connection.fetch(query, *arguments)


def test_a_key_released_while_we_look_at_it_is_claimed_after_all(shop: Shop) -> None:
    first, second = shop.claim(uuid7()), shop.claim(uuid7())

    async def take(claim: Claim, happens: Any = None) -> Any:
        async with connected(shop.database, shop.id) as connection:
            spied = Interfering(connection, idempotency._LOOK, happens)
            return await idempotency.claim(spied, [claim])  # type: ignore[arg-type]  # all it uses

    async def release() -> None:
        async with connected(shop.database, shop.id) as connection:
            await idempotency.settle(connection, [Settled(first, "released")])

    async def go() -> tuple[Any, Any]:
        await take(first)
        return await take(second, release), await take(shop.claim(uuid7()))

    in_the_way, after = asyncio.run(go())

    assert in_the_way == {}
    assert [earlier.call for earlier in after.values()] == [second.call]
