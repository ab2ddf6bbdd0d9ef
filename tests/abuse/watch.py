"""The general oracles, looked at after every test: what left, what was answered, what is on record.

o1  no canary of another workspace in anything a caller of this one is given
o2  no secret anywhere but in the one Authorization header to Meta
o3  effect ⇔ record: what reached Meta was admitted on record, what was refused is on record
o5  no server error, unless the test says that it wants one
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import psycopg

from abuse.door import Answer, Door
from abuse.secrets_in import found_in
from abuse.watched_house import WatchedHouse
from gateway.house import APP_SECRET, META_TOKEN, Key, Workspace
from portero.graphapi.refusals import REASONS

_VERSION = re.compile(r"^/v[0-9]+\.[0-9]+(?=/|$)")
_RESOLVER = re.compile(
    r"name=[^&]+&fields=id,name,language,category,status&limit=100(&appsecret_proof=[0-9a-f]+)?"
)
# Said of calls that went out, or of a gateway that cannot write: an allow or nothing is on record.
_NO_DENIAL = frozenset({"outcome_unknown", "answer_withheld", "unavailable"})
Row = dict[str, Any]


class Lines(logging.Handler):
    """Every log line of every logger, as it would be written, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@dataclass
class Watch:
    """Sees one test from outside. `violations` tells what it saw go wrong."""

    house: WatchedHouse
    door: Door
    log: Lines
    db: psycopg.Connection[Row]
    since: datetime
    workspaces: list[Workspace]
    keys: list[Key]
    secrets: list[str] = field(default_factory=lambda: [META_TOKEN, APP_SECRET])
    foreign: list[str] = field(default_factory=list)  # canaries of workspaces that must not show
    may_fail: bool = False  # the test provokes server errors on purpose
    is_over: bool = False  # a control looked already, and wanted to see violations
    _forgotten: int = 0

    def records(self) -> list[Row]:
        """What was recorded since the test began, oldest first, in every workspace watched."""
        self.house.settle()
        return self.db.execute(
            "SELECT r.*, o.body FROM record r LEFT JOIN record_open o"
            " USING (workspace_id, call_id, kind, attempt)"
            " WHERE r.at >= %s AND r.workspace_id = ANY(%s) ORDER BY r.at, r.kind",
            [self.since, [one.id for one in self.workspaces]],
        ).fetchall()

    def ledger(self) -> list[Row]:
        return [one for one in self.house.sandbox.ledger() if one["n"] > self._forgotten]

    def forget_ledger(self) -> None:
        """What reached Meta so far was the test's own asking."""
        self._forgotten = max((one["n"] for one in self.house.sandbox.ledger()), default=0)

    def violations(self) -> list[str]:
        """Everything that went wrong; empty when nothing did."""
        records, ledger = self.records(), self.ledger()
        return [
            *self._leaks(records, ledger),
            *_effects(records, ledger),
            *_refusals(records, self.door.answers),
            *(() if self.may_fail else _server_errors(self.door.answers)),
        ]

    def expect_violations(self) -> list[str]:
        """For controls: what is seen now that a guard is away; the end of the test looks no more."""
        self.is_over = True
        return self.violations()

    def _leaks(self, records: list[Row], ledger: list[Row]) -> Iterator[str]:
        for answer in self.door.answers:
            own = {answer.key.text} if answer.key else set()
            shown = answer.body + repr(answer.headers).encode()
            said = [s for s in self._all_secrets() if s not in own] + self.foreign
            yield from (f"answer shows {s[:12]}…: {shown!r}" for s in found_in(shown, said))
        for line in self.log.lines:
            yield from (
                f"log shows {s[:12]}…" for s in found_in(line.encode(), self._all_secrets())
            )
        for record in records:
            text = json.dumps(record, default=str, ensure_ascii=False).encode()
            yield from (f"record shows {s[:12]}…" for s in found_in(text, self._all_secrets()))
        for arrived in ledger:
            text = json.dumps(_without_authorization(arrived)).encode()
            yield from (f"Meta was sent {s[:12]}…" for s in found_in(text, self._all_secrets()))

    def _all_secrets(self) -> list[str]:
        return [*self.secrets, *(key.text for key in self.keys)]


def _without_authorization(arrived: Row) -> Row:
    headers = {n: v for n, v in arrived["headers"].items() if n != "authorization"}
    return {**arrived, "headers": headers}


def _effects(records: list[Row], ledger: list[Row]) -> Iterator[str]:
    """o3, the outgoing half: one admitted intent for each request that arrived, and one outcome."""
    outcomes = {r["call_id"]: r["outcome"] for r in records if r["kind"] == "outcome"}
    intents = {r["call_id"]: r for r in records if (r["kind"], r["effect"]) == ("intent", "allow")}
    yield from (f"left open: {intents[c]['operation']}" for c in intents.keys() - outcomes.keys())
    admitted = Counter(
        _planned(intent) for call, intent in intents.items() if outcomes.get(call) != "stopped"
    )
    arrived = Counter(_seen(one) for one in ledger if not _is_resolver(one))
    yield from (f"reached Meta without a record: {one}" for one in (arrived - admitted).elements())
    yield from (f"on record but never sent: {one}" for one in (admitted - arrived).elements())


def _planned(intent: Row) -> tuple[str, str]:
    body = intent["body"]
    ids = iter(body.get("ids", ()))
    if intent["operation"] == "download_media":
        return "GET", f"/media/{next(ids)}"
    return body["method"], re.sub(r"\{\w+\}", lambda _: str(next(ids)), body["path"])


def _seen(arrived: Row) -> tuple[str, str]:
    path = _VERSION.sub("", arrived["path"])
    if path.startswith("/whatsapp_business/attachments"):
        return "GET", f"/media/{parse_qs(arrived['query'])['mid'][0]}"
    return arrived["method"], path


def _is_resolver(arrived: Row) -> bool:
    """The gateway's own question about a template it has not met: a read, on nobody's behalf."""
    return arrived["method"] == "GET" and _RESOLVER.fullmatch(arrived["query"]) is not None


def _refusals(records: list[Row], answers: list[Answer]) -> Iterator[str]:
    """o3, the other half: whoever was known and refused is on record, with the reason given."""
    denied = {r["call_id"]: r["reason"] for r in records if r["effect"] == "deny"}
    stopped = {r["call_id"] for r in records if r["outcome"] == "stopped"}
    for answer in answers:
        if not answer.is_refusal or answer.key is None or answer.call is None:
            continue  # without a call id it was not yet HTTP that anybody had read
        reason = answer.reason
        if reason not in REASONS - _NO_DENIAL or answer.call in stopped:
            continue
        if denied.get(answer.call) != reason:
            yield f"refused without a record: {reason} {answer.request[:200]!r}"


def _server_errors(answers: list[Answer]) -> Iterator[str]:
    yield from (
        f"{a.status}: {a.request[:200]!r} {a.body[:300]!r}" for a in answers if a.status >= 500
    )
