"""After a storm: what clients were told, what reached Meta and what is on record, held together."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import psycopg

from gateway.house import House
from storm.storms import Seen


@dataclass(frozen=True)
class Comparison:
    """How often each promise was broken, beside how much there was to look at.

    Attributes:
        acknowledged: calls that a client was told 200 for.
        arrived: messages in the sandbox's ledger.
        lost: acknowledged, but not arrived exactly once, or without an intent or an outcome.
        unrecorded: arrived without an admitted intent from before.
        twice: arrived once more than they should.
        open: admitted, and without an end.
        over: counted or arrived above a limit of a day.
        miscounted: admitted by a key with a limit and not counted, or counted and not admitted.
    """

    acknowledged: int
    arrived: int
    lost: int
    unrecorded: int
    twice: int
    open: int
    over: int
    miscounted: int

    @property
    def violations(self) -> dict[str, int]:
        """The promises that were broken; none, after any storm."""
        promises = [field.name for field in fields(self)][2:]
        return {name: count for name in promises if (count := getattr(self, name))}


def compare(house: House, seen: Seen) -> Comparison:
    """Hold the sandbox's ledger, the records and the limits against each other."""
    requests = [_Arrived.read(r) for r in house.sandbox.ledger() if r["method"] == "POST"]
    records = house.workspace.records()
    intents = _intents(records)
    ended = {str(r["call_id"]) for r in records if r["kind"] == "outcome"}
    times = Counter(one.call for one in requests)
    names = Counter(one.name for one in requests)
    call_of = {one.name: one.call for one in requests}
    return Comparison(
        acknowledged=len(seen.ok()),
        arrived=len(requests),
        lost=sum(
            1
            for name in seen.ok()
            if names[name] != 1 or call_of[name] not in intents or call_of[name] not in ended
        ),
        unrecorded=sum(
            1 for one in requests if one.call not in intents or intents[one.call] > one.at
        ),
        twice=sum(n - 1 for n in times.values())
        + sum(names[name] - 1 for name in seen.sent if names[name] > 1),
        open=len(intents.keys() - ended),
        **_against_limits(house, records, {one.call for one in requests}),
    )


@dataclass(frozen=True, slots=True)
class _Arrived:
    name: str
    call: str
    at: datetime

    @classmethod
    def read(cls, request: Mapping[str, Any]) -> _Arrived:
        body = json.loads(request["body"])
        return cls(body["text"]["body"], body["biz_opaque_callback_data"], _time(request["at"]))


def _time(told: float | str) -> datetime:
    if isinstance(told, str):
        return datetime.fromisoformat(told)
    return datetime.fromtimestamp(told, UTC)


def _intents(records: list[dict[str, Any]]) -> dict[str, datetime]:
    """When each admitted call was admitted last, by the database's clock."""
    return {
        str(r["call_id"]): r["at"]
        for r in records
        if r["kind"] == "intent" and r["effect"] == "allow"
    }


def _against_limits(
    house: House, records: list[dict[str, Any]], arrived: set[str]
) -> dict[str, int]:
    with psycopg.connect(house.database.dsn("superuser")) as db:
        limits = db.execute(
            "SELECT l.id, l.holder_id::text, l.amount, coalesce(sum(u.used), 0)::int,"
            " coalesce(max(u.used), 0)::int"
            " FROM usage_limit l LEFT JOIN limit_use u ON u.limit_id = l.id"
            " WHERE l.per = 'day' AND l.metric = 'messages' AND l.holder_kind = 'key'"
            " AND l.workspace_id = %s GROUP BY 1, 2, 3",
            [house.workspace.id],
        ).fetchall()
    over = miscounted = 0
    for _, holder, amount, used, most in limits:
        calls = {
            str(r["call_id"])
            for r in records
            if r["kind"] == "intent" and r["effect"] == "allow" and r["credential"] == holder
        }
        over += max(0, most - amount) + max(0, len(calls & arrived) - used)
        miscounted += abs(len(calls) - used)
    return {"over": over, "miscounted": miscounted}


def wait_until_closed(house: House, *, within_s: float = 15) -> None:
    """Until every admitted call has an outcome, `unknown` included."""
    ends = time.monotonic() + within_s
    while True:
        records = house.workspace.records()
        ended = {str(r["call_id"]) for r in records if r["kind"] == "outcome"}
        if not _intents(records).keys() - ended:
            return
        assert time.monotonic() < ends, "calls are still open"
        time.sleep(0.3)


def outcomes(house: House) -> Mapping[str, int]:
    return Counter(r["outcome"] for r in house.workspace.records() if r["kind"] == "outcome")
