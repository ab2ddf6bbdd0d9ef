"""The two halves of a record: the leaf proves without telling, the readable half can be checked."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portero.store.admission import Note
from portero.store.records import (
    Outcome,
    Record,
    RecordKind,
    canonical,
    commitment,
    digest_of,
    seal,
)
from store.shop import Shop, connector, limit_of, recording

LUCIA = "525512345678"
WORDS = "Hola Lucía, tu pedido 4711 va en camino"


def admit(shop: Shop, *records: Record) -> None:
    async def go() -> None:
        async with recording(connector(shop.database)) as recorder:
            await asyncio.gather(*(recorder.admit(shop.admission(record=r)) for r in records))

    asyncio.run(go())


def full(shop: Shop) -> Record:
    """A record with every field in use."""
    return shop.intent(
        attempt=3,
        credential="key-1",
        on_behalf="person-1",
        checks=("send:text", "template:use"),
        resources=(digest_of(shop.keys.digest_key(), "phone", LUCIA),),
        because=("binding-1",),
        obligations=("record:full", "take:limit-1"),
        upstream_attempt=1,
        body={"to": LUCIA, "text": WORDS, "address": "192.0.2.7"},
    )


def test_a_record_is_stored_with_the_leaf_whose_digest_it_bears(shop: Shop) -> None:
    record = full(shop)

    admit(shop, record, *(shop.intent() for _ in range(20)))

    for row in shop.records():
        assert hashlib.sha256(bytes(row["leaf"])).digest() == bytes(row["digest"])
    [row] = [r for r in shop.records() if r["call_id"] == record.call]
    leaf = json.loads(bytes(row["leaf"]))
    for name in ("attempt", "event", "operation", "effect", "reason", "policy_version", "actor",
                 "credential", "on_behalf", "checks", "resources", "because", "obligations",
                 "upstream_attempt", "outcome", "kind"):  # fmt: skip
        assert leaf[name] == row[name], name
    assert (leaf["workspace"], leaf["call"]) == (str(shop.id), str(record.call))
    assert datetime.fromisoformat(leaf["at"]) == row["at"]
    assert row["process"] == shop.process


def test_the_commitment_in_the_leaf_is_to_the_readable_half(shop: Shop) -> None:
    admit(shop, full(shop))

    [row] = shop.records()

    committed = json.loads(bytes(row["leaf"]))["body"]
    assert committed == commitment(bytes(row["salt"]), row["body"])
    assert committed != commitment(bytes(row["salt"]), {**row["body"], "text": "other words"})


def test_nothing_clear_and_personal_is_in_the_half_that_stays(shop: Shop) -> None:
    limit = limit_of(0)
    record = full(shop)

    async def go() -> None:
        async with recording(connector(shop.database)) as recorder:
            to = (shop.identity(LUCIA),)
            await recorder.admit(shop.admission(record=record, recipients=to))
            refused = replace(record, call=shop.intent().call)
            await recorder.admit(shop.admission(record=refused, recipients=to, takes=(limit,)))
            await recorder.note(Note(record=record.ended(Outcome.DONE, "done")))

    asyncio.run(go())

    rows = shop.rows("SELECT * FROM record WHERE workspace_id = %s")
    assert len(rows) == 3
    for row in rows:
        stays = b"".join(
            bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row.values()
        )
        for clear in (LUCIA, LUCIA[-8:], "Lucía", "pedido", "192.0.2.7"):
            assert clear.encode() not in stays


def test_equal_bodies_have_commitments_that_do_not_show_it(shop: Shop) -> None:
    record = full(shop)
    now = datetime(2026, 11, 25, tzinfo=UTC)

    assert seal(record, now).leaf != seal(record, now).leaf


def test_a_number_cannot_be_found_by_digesting_them_all(shop: Shop) -> None:
    other = Shop.open(shop.database)
    mine, theirs = shop.keys.digest_key(), other.keys.digest_key()

    assert digest_of(mine, "phone", LUCIA) == digest_of(mine, "phone", LUCIA)
    assert digest_of(mine, "phone", LUCIA) != digest_of(theirs, "phone", LUCIA)
    assert digest_of(mine, "phone", LUCIA) != digest_of(mine, "bsuid", LUCIA)


def test_a_call_that_ended_does_not_end_again_in_another_way(shop: Shop) -> None:
    record = shop.intent()

    async def go() -> None:
        async with recording(connector(shop.database)) as recorder:
            await recorder.admit(shop.admission(record=record))
            for outcome in (Outcome.DONE, Outcome.FAILED):
                await recorder.note(Note(record=record.ended(outcome, outcome)))

    asyncio.run(go())

    assert [r["outcome"] for r in shop.records(RecordKind.OUTCOME)] == ["done"]


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def one_shop(shared_database: Any) -> Shop:
    return Shop.open(shared_database)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(bodies=st.lists(st.dictionaries(texts, values, max_size=5), min_size=8, max_size=8))
def test_whatever_is_told_can_be_checked_against_its_commitment(
    one_shop: Shop, bodies: list[dict[str, Any]]
) -> None:
    records = [one_shop.intent(body=body) for body in bodies]

    admit(one_shop, *records)

    stored = {row["call_id"]: row for row in one_shop.records()}
    for record in records:
        row = stored[record.call]
        assert canonical(row["body"]) == canonical(record.body)
        assert json.loads(bytes(row["leaf"]))["body"] == commitment(bytes(row["salt"]), row["body"])
