"""What the page shows: processes that run, decisions with their reasons, and changes people made.

Read through the application's own database role, inside the workspace, so that row-level security
holds for the page as for everything else. Recipients are masked always.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import connection

from portero.console.lacking import Reader, lacking
from portero.console.words import Words
from portero.domain.access.models import GatewayProcess, PolicyHead, Principal, Role
from portero.domain.access.services import OPERATOR
from portero.domain.accounts.models import ApiKey
from portero.domain.audit.models import Record, RecordOpen, in_workspace
from portero.domain.workspaces.models import Number, Workspace
from portero.engine import Effect, PrincipalKind
from portero.store.records import Outcome, RecordKind

CALLS = 50
CHANGES = 10
SENT = "message.sent"
LOOKED_AT = "page.opened"
THROUGH_A_LENS = frozenset({LOOKED_AT, "lens.opened", "lens.closed"})
NOT_UNDERSTOOD = "request.refused"
COMMAND = "command.run"
_PROBE_TIMEOUT_S = 0.3


@dataclass(frozen=True, slots=True)
class Process:
    """A gateway process, by the database's clock."""

    id: UUID
    started_at: datetime
    is_live: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One decision as people read it."""

    at: datetime
    who: str
    is_machine: bool
    did: str
    is_sent: bool
    """Whether something goes to the recipient, or is done about them."""
    recipient: str
    """The last two digits, empty where no customer is named."""
    number: str
    tone: str
    """ok, stop, warn or wait."""
    outcome: str
    because: str
    """Why it was refused; empty when it was not."""
    lacked: tuple[str, ...]
    """Which check failed, and what was missing, as far as the reader may see it."""
    code: str
    operation: str
    """Empty for a call that was refused before it was understood."""
    seen_as: str
    """With whose eyes: a person or a role; empty for one's own."""
    call: UUID
    may_be_asked: bool
    """Whether it was refused by a decision, of which one can ask why."""


@dataclass(frozen=True, slots=True)
class Activity:
    """One moment of one workspace."""

    workspace: str
    timezone: str
    now: datetime
    policy_version: int
    database: str
    processes: tuple[Process, ...]
    calls: tuple[Line, ...]
    changes: tuple[Line, ...]


def activity(workspace: UUID, words: Words, sees: Collection[str] = ()) -> Activity:
    """`sees` holds those of `lacking.SEEN_WITH` that the reader has.

    Raises Workspace.DoesNotExist, and what the database raises when it is away.
    """
    reader = Reader.of(workspace, sees)
    with in_workspace(workspace):
        shown = Workspace.objects.get()
        now, version = _now_and_version()
        return Activity(
            workspace=shown.name,
            timezone=shown.timezone,
            now=now,
            policy_version=PolicyHead.objects.values_list("version", flat=True).get(),
            database=version,
            processes=tuple(
                Process(process.id, process.started_at, process.lease_until > now)
                for process in GatewayProcess.objects.order_by("started_at")
            ),
            calls=tuple(_lines(RecordKind.INTENT, CALLS, words, reader)),
            changes=tuple(_lines(RecordKind.EVENT, CHANGES, words, reader)),
        )


def answers(url: str) -> bool:
    """Whether something on this machine accepts connections there."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port), timeout=_PROBE_TIMEOUT_S):
            return True
    except OSError:
        return False


def _now_and_version() -> tuple[datetime, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), current_setting('server_version')")
        now, version = cursor.fetchone()
    return now, f"PostgreSQL {version.partition(' ')[0]}"


def _lines(kind: RecordKind, count: int, words: Words, reader: Reader) -> Iterator[Line]:
    # A call that was decided again has several intents, of which the last one counts.
    # Pages that somebody looked at change nothing; there would soon be nothing else to see.
    asked = Record.objects.filter(kind=kind).exclude(event=LOOKED_AT, effect=Effect.ALLOW)
    newest = asked.order_by("-at", "-attempt")[: 2 * count]
    records: dict[UUID, Record] = {}
    for record in newest:
        records.setdefault(record.call_id, record)
    shown = list(records.values())[:count]
    calls = [record.call_id for record in shown]
    bodies = _readable(calls)
    ends = {
        end.call_id: end
        for end in Record.objects.filter(call_id__in=calls, kind=RecordKind.OUTCOME).order_by(
            "attempt"
        )
    }
    told = [_Told(record, _body(bodies, record)) for record in shown]
    names = _Called.of_all(told)
    for one in told:
        end = ends.get(one.record.call_id)
        ended = _Told(end, _body(bodies, end)) if end is not None else None
        yield _line(one, ended, names, words, reader)


def _uuids(texts: Iterable[str | None]) -> set[UUID]:
    """Those that are ids; a record may name what never was one."""
    found = set()
    for text in texts:
        with suppress(ValueError, TypeError):
            found.add(UUID(text))
    return found


_Bodies = Mapping[tuple[UUID, str, int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Told:
    """A record and its readable half."""

    record: Record
    body: Mapping[str, Any]


def _body(bodies: _Bodies, record: Record) -> Mapping[str, Any]:
    return bodies.get((record.call_id, record.kind, record.attempt), {})


def _readable(calls: Iterable[UUID]) -> _Bodies:
    """The readable halves; one that was erased is absent."""
    halves = RecordOpen.objects.filter(call_id__in=calls)
    return {(half.call_id, half.kind, half.attempt): half.body for half in halves}


@dataclass(frozen=True, slots=True)
class _Called:
    principals: Mapping[str, tuple[str, bool]]
    keys: Mapping[str, str]
    numbers: Mapping[str, str]
    roles: Mapping[str, str]

    @classmethod
    def of_all(cls, told: Iterable[_Told]) -> _Called:
        """Of everybody and everything that these records name, and of nobody else."""
        records = [one.record for one in told]
        seen = [one.on_behalf for one in records if one.on_behalf is not None]
        principals = Principal.objects.filter(
            id__in=_uuids([*(one.actor for one in records), *seen])
        ).values_list("id", "name", "kind")
        keys = ApiKey.objects.filter(id__in=_uuids(one.credential for one in records))
        ids = {i for one in told for i in one.body.get("ids", ())}
        return cls(
            {str(i): (name, kind != PrincipalKind.PERSON) for i, name, kind in principals},
            {str(i): name for i, name in keys.values_list("id", "name")},
            dict(Number.objects.filter(meta_id__in=ids).values_list("meta_id", "name")),
            {
                str(i): name
                for i, name in Role.objects.filter(id__in=_uuids(seen)).values_list("id", "name")
            },
        )

    def seen_as(self, record: Record) -> str:
        """Of what was looked at through a lens."""
        if record.event not in THROUGH_A_LENS or record.on_behalf is None:
            return ""
        name, _ = self.principals.get(record.on_behalf, ("", False))
        return name or self.roles.get(record.on_behalf, "?")

    def of(self, record: Record, operator: str) -> tuple[str, bool]:
        """Who asked: the key where there is one, else the person; and whether it is a machine.

        Whoever works on the server stands beside the person in whose name they do it.
        """
        if record.actor == OPERATOR:
            return operator, False
        if operator:
            name, is_machine = self.principals.get(record.actor, ("?", True))
            return f"{name} ({operator})", is_machine
        if record.credential is not None:
            return self.keys.get(record.credential, "?"), True
        return self.principals.get(record.actor, ("?", True))


def _line(asked: _Told, end: _Told | None, names: _Called, words: Words, reader: Reader) -> Line:
    record, body = asked.record, asked.body
    who, is_machine = names.of(record, str(body.get("operator", "")))
    refusal = next((told for told in (asked, end) if told and _refuses(told.record)), None)
    tone, result = ("stop", words.refused) if refusal else _result(record, end, words)
    did = tone == "ok"  # what is not known to have happened was only wanted
    return Line(
        at=record.at,
        who=who,
        is_machine=is_machine,
        did=_did(record, body, words, wanted=not did),
        is_sent=record.event == SENT,
        recipient=_masked(body.get("to")),
        number=next((names.numbers[i] for i in body.get("ids", ()) if i in names.numbers), ""),
        tone=tone,
        outcome=result,
        because=_because(refusal, words) if refusal else "",
        lacked=tuple(lacking(refusal.record, refusal.body, reader)) if refusal else (),
        code=refusal.record.reason if refusal else "",
        operation="" if record.event == NOT_UNDERSTOOD else record.operation,
        seen_as=names.seen_as(record),
        call=record.call_id,
        may_be_asked=refusal is not None and bool(record.checks),
    )


def _refuses(record: Record) -> bool:
    return record.effect == Effect.DENY


def _result(record: Record, end: _Told | None, words: Words) -> tuple[str, str]:
    """Tone and words of what was allowed."""
    if record.kind == RecordKind.EVENT:
        return "ok", words.done
    if end is None:
        return "wait", words.pending
    match end.record.outcome:
        case Outcome.DONE:
            return "ok", words.done
        case Outcome.PARTIAL:
            return "warn", words.partial
        case Outcome.STOPPED:
            return "warn", words.stopped
        case Outcome.FAILED:
            return "warn", words.broken_off if "why" in end.body else words.failed
        case _:
            return "wait", words.unknown_sent if record.event == SENT else words.unknown


def _did(record: Record, body: Mapping[str, Any], words: Words, *, wanted: bool) -> str:
    content = next((words.content[c] for c in record.checks if c in words.content), None)
    if record.event == SENT and content is not None:
        template = f" {body['template']}" if body.get("template") else ""
        return f"{words.sending[wanted]} {content}{template}"
    if record.event == COMMAND:
        return f"{words.commanded} {body.get('command', '?')}"
    known = words.events.get(record.event)
    return known[wanted] if known else f"{words.generic[wanted]} {record.operation}"


def _because(refusal: _Told, words: Words) -> str:
    """The record's own sentence where it is in the page's language, else the reason's."""
    sentence = refusal.body.get("sentence")
    # What was refused by a rule is told part by part, to each reader what they may see of it.
    is_by_a_rule = "refused" in refusal.body or bool(refusal.record.because)
    if sentence and words.code == "en" and not is_by_a_rule:
        return str(sentence)
    return words.reasons.get(refusal.record.reason, refusal.record.reason)


def _masked(recipients: object) -> str:
    first = recipients[0] if isinstance(recipients, list) and recipients else ""
    return str(first)[-2:]
