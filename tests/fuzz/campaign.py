"""A campaign of mutated requests: fired in batches, and after each batch both ends are compared."""

from __future__ import annotations

import json
import logging
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import UUID

import psycopg

from abuse.secrets_in import found_in
from abuse.watch import Lines
from fuzz.draft import Draft
from fuzz.lanes import Back, Shot, fire
from fuzz.meaning import Arrived, Comparison, Decided, arrived, decided
from fuzz.mutate import Dice, mutate
from fuzz.seeds import Seed
from gateway.house import House, Key
from portero.graphapi.refusals import REASONS

Row = dict[str, Any]
LANES = 12
BATCH = 1000
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RESTORE = """
INSERT INTO resource (workspace_id, kind, meta_id, parent, number, attributes)
VALUES (%(workspace_id)s, %(kind)s, %(meta_id)s, %(parent)s, %(number)s, %(attributes)s::jsonb)
ON CONFLICT DO NOTHING
"""
# Said of calls that went out, or of a gateway that cannot write: an allow or nothing is on record.
_NO_DENIAL = frozenset({"outcome_unknown", "answer_withheld", "unavailable"})


@dataclass(frozen=True)
class Sender:
    """A key, how often it is used, and what may arrive at Meta under it."""

    key: Key
    share: float
    lets: Any  # (Arrived) -> bool: an independent reading of what the key was given


@dataclass
class Campaign:
    """Request n of a seed is the same for ever: `replay` writes it again."""

    house: House
    seeds: Sequence[Seed]
    senders: Sequence[Sender]
    foreign: Sequence[str]
    ours: Sequence[str]
    secrets: Sequence[str]
    workspaces: Sequence[UUID]
    digest_keys: Sequence[bytes]
    seed: str
    reached: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    arrivals: int = 0
    shots: int = 0
    _registered: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._weights = list(accumulate(seed.weight for seed in self.seeds))
        self._shares = list(accumulate(sender.share for sender in self.senders))
        self._drafts: dict[int, tuple[Draft, Sender]] = {}

    def __str__(self) -> str:
        answers = ", ".join(f"{n} of {status}" for status, n in sorted(self.statuses.items()))
        return (
            f"seed {self.seed}: {self.shots} requests, {self.arrivals} arrived at Meta as decided,"
            f" of {len(self.reached)} operations; answers: {answers} (0: none owed)"
        )

    def shot(self, n: int) -> Shot:
        """Request n, with its draft remembered until its batch is judged."""
        die = random.Random(f"{self.seed}-{n}")
        (seed,) = die.choices(self.seeds, cum_weights=self._weights)
        (sender,) = die.choices(self.senders, cum_weights=self._shares)
        draft = seed.fresh(sender.key.text)
        written = mutate(draft, Dice(die, self.foreign, self.ours, sender.key.text))
        self._drafts[n] = draft, sender
        return Shot(n, written, draft.is_raw)

    def replay(self, n: int) -> str:
        """How to see request n again, for a message."""
        draft, _ = self._drafts[n]
        shot = self.shot(n)
        return (
            f"seed {self.seed!r}, request {n} ({', '.join(draft.steps)}): {shot.written[:3000]!r}"
        )

    def run(self, db: psycopg.Connection[Row], first: int, count: int) -> list[str]:
        """Fire `count` requests from `first` on; everything that went wrong, empty when nothing did."""
        for start in range(first, first + count, BATCH):
            found = self._batch(db, range(start, min(start + BATCH, first + count)))
            if found:
                return found
        return []

    def _is_somebodys(self, back: Back) -> bool:
        """Whether the request carries the sender's key, once, and nothing that could be another."""
        draft, _ = self._drafts[back.shot.n]
        bare = unquote_to_bytes(back.shot.written).replace(b"+", b" ")
        return draft.is_somebodys and b"access_token" not in bare

    def _batch(self, db: psycopg.Connection[Row], numbers: range) -> list[str]:
        self._drafts.clear()
        self.house.sandbox.reset()
        self._restore(db)
        log, since = Lines(), _now(db)
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(log)
        root.setLevel(logging.INFO)
        try:
            backs = self.house.loop.run(
                fire(self.house.gateway.port, map(self.shot, numbers), lanes=LANES), 600
            )
            self.house.loop.run(self.house.gateway.parts.recorder.settled())
        finally:
            root.removeHandler(log)
            root.setLevel(level)
        records = self._records(db, since)
        entries = self.house.sandbox.ledger()
        self.shots += len(numbers)
        return [
            *self._of_answers(backs),
            *self._of_effects(backs, records, entries),
            *self._of_refusals(backs, records),
            *self._of_leaks(backs, records, entries, log),
        ]

    def forget(self, db: psycopg.Connection[Row]) -> None:
        """Make room: what has been judged need not be kept."""
        db.execute("SET session_replication_role = replica")
        for table in ("record", "record_open", "record_leaf", "outbox", "idempotency"):
            db.execute(f"DELETE FROM {table}")  # type: ignore[arg-type]  # our own names
        db.execute("SET session_replication_role = origin")

    # What both ends tell

    def _restore(self, db: psycopg.Connection[Row]) -> None:
        """What a batch deleted is there for the next one: at Meta by the reset, here by this."""
        if not self._registered:
            self._registered = db.execute("SELECT * FROM resource").fetchall()
        for row in self._registered:
            db.execute(_RESTORE, {**row, "attributes": json.dumps(row["attributes"])})

    def _records(self, db: psycopg.Connection[Row], since: Any) -> list[Row]:
        return db.execute(
            "SELECT r.call_id, r.kind, r.event, r.operation, r.effect, r.reason, r.outcome,"
            " r.actor, r.checks, r.resources, o.body, convert_from(r.leaf, 'UTF8') AS leaf"
            " FROM record r LEFT JOIN record_open o USING (workspace_id, call_id, kind, attempt)"
            " WHERE r.at >= %s AND r.workspace_id = ANY(%s)",
            [since, list(self.workspaces)],
        ).fetchall()

    # What must hold

    def _of_answers(self, backs: Sequence[Back]) -> Iterator[str]:
        for back in backs:
            self.statuses[back.status or 0] += 1
            if back.status is None:
                continue
            wrong = _wrong_with(back)
            if wrong:
                yield f"{wrong}: {back.status} {back.body[:500]!r} to {self.replay(back.shot.n)}"

    def _of_effects(
        self, backs: Sequence[Back], records: Sequence[Row], entries: Sequence[Row]
    ) -> Iterator[str]:
        outcomes = {str(r["call_id"]): r["outcome"] for r in records if r["kind"] == "outcome"}
        intents = {
            str(r["call_id"]): r
            for r in records
            if r["kind"] == "intent" and r["effect"] == "allow"
        }
        yield from (f"left open: {intents[c]}" for c in intents.keys() - outcomes.keys())
        let_go = [decided(r) for c, r in intents.items() if outcomes.get(c) != "stopped"]
        asked = [r for r in records if r["event"] == "template.looked_up"]
        came, unread = [], 0
        for entry in entries:
            if entry["status"] is None or entry["status"] >= 500:
                yield f"the sandbox failed: {entry}"
            if _is_question(entry):
                unread += 1
                continue
            read = arrived(entry)
            if read is None:
                yield f"arrived, and the sandbox cannot read it: {entry}"
            else:
                came.append(read)
        if unread != len(asked):
            yield f"{unread} questions about templates arrived, {len(asked)} are on record"
        self.arrivals += len(came)
        self.reached.update(each.operation for each in let_go)
        yield from Comparison(self.digest_keys).violations(came, let_go)
        yield from self._of_scopes(came, let_go)
        yield from self._of_counts(backs, let_go)

    def _of_scopes(self, came: Sequence[Arrived], let_go: Sequence[Decided]) -> Iterator[str]:
        """Nothing of anybody else's, and under a narrow key nothing but what it was given."""
        foreign = set(self.foreign)
        for one in came:
            if one.ids & foreign:
                yield f"somebody else's id arrived: {one}"
        actors = {str(s.key.account): s for s in self.senders}
        calls = {one.call: one for one in came if one.call is not None}
        for each in let_go:
            sender = actors.get(each.actor)
            mine = (
                [calls[each.call]]
                if each.call in calls
                else [o for o in came if o.where == each.where]
            )
            if sender is not None and not any(sender.lets(one) for one in mine):
                yield f"more than the key was given: {each}: {mine}"

    def _of_counts(self, backs: Sequence[Back], let_go: Sequence[Decided]) -> Iterator[str]:
        """As many were answered as let go; what was refused was not let go."""
        calls = {each.call for each in let_go}
        passed = unanswered = 0
        for back in backs:
            told = _error_of(back)
            if back.status is None:
                unanswered += 1
            elif told is None:
                passed += back.status < 400 and b"idempotent-replay" not in back.headers
            elif told.get("fbtrace_id") in calls:
                passed += 1
        if not passed <= len(calls) <= passed + unanswered:
            yield f"{len(calls)} were let go, {passed} were answered so, {unanswered} not at all"

    def _of_refusals(self, backs: Sequence[Back], records: Sequence[Row]) -> Iterator[str]:
        denied = {str(r["call_id"]): r["reason"] for r in records if r["effect"] == "deny"}
        stopped = {str(r["call_id"]) for r in records if r["outcome"] == "stopped"}
        let_go = {
            str(r["call_id"]) for r in records if r["kind"] == "intent" and r["effect"] == "allow"
        } - stopped
        for back in backs:
            told = _error_of(back)
            if told is None:
                continue
            reason = str(told.get("error_data", {}).get("details", "")).partition(": ")[0]
            call = str(told.get("fbtrace_id"))  # of bytes that were no HTTP: not a call's id
            self.reasons[reason if reason in REASONS else f"Meta {told.get('code')}"] += 1
            if reason not in REASONS - _NO_DENIAL or call in stopped:
                continue
            owed = self._is_somebodys(back) and _UUID.fullmatch(call)
            if owed and denied.get(call) != reason:
                yield f"refused without a record: {reason}: {self.replay(back.shot.n)}"
            if call in let_go:
                yield f"refused and let go: {reason}: {self.replay(back.shot.n)}"

    def _of_leaks(
        self,
        backs: Sequence[Back],
        records: Sequence[Row],
        entries: Sequence[Row],
        log: Lines,
    ) -> Iterator[str]:
        answers = [back.headers + b"\n" + back.body for back in backs]
        if found_in(b"\n".join(answers), self.secrets):
            for back, text in zip(backs, answers, strict=True):
                for secret in found_in(text, self.secrets):
                    yield f"an answer shows {secret[:12]}…: {text!r} to {self.replay(back.shot.n)}"
        kept = "\n".join(f"{r['leaf']} {json.dumps(r['body'])}" for r in records)
        places = {
            "a record": kept,
            "the log": "\n".join(log.lines),
            "Meta": json.dumps([_without_authorization(e) for e in entries]),
        }
        for where, text in places.items():
            for secret in found_in(text.encode(), self.secrets):
                yield f"{where} shows {secret[:12]}…"


def _now(db: psycopg.Connection[Row]) -> Any:
    row = db.execute("SELECT clock_timestamp() AS now").fetchone()
    assert row is not None
    return row["now"]


def _is_question(entry: Row) -> bool:
    """The gateway's own question about a template it has not met."""
    return (
        entry["method"] == "GET"
        and "fields=id,name,language,category,status&limit=100" in entry["query"]
    )


def _without_authorization(entry: Row) -> Row:
    return {**entry, "headers": {n: v for n, v in entry["headers"].items() if n != "authorization"}}


def _error_of(back: Back) -> dict[str, Any] | None:
    if back.status is None or back.status < 400 or not back.body:
        return None
    try:
        found = json.loads(back.body)["error"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _wrong_with(back: Back) -> str:
    """What an answer has that none may have; empty when nothing."""
    status = back.status or 0
    if status < 400:
        return "" if 200 <= status < 300 else "a redirect"
    if back.shot.has_no_body_back:
        return "" if status < 500 else "a server error"
    told = _error_of(back)
    if told is None or not {"message", "type", "code", "fbtrace_id"} <= told.keys():
        return "not an error of Graph's shape"
    if status >= 500 and (
        status != 503 or "The gateway failed" in back.body.decode("utf-8", "replace")
    ):
        return "a server error that nobody meant"
    return ""
