"""Half a year of Tienda Andina: customers, and records of what its programs asked for.

The records are made as the gateway makes them (`store.records`), only with earlier times; they are
not in the outbox, because nobody is to be told of them now. Import it once Django is set up.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from portero.domain.audit import models as audit
from portero.domain.audit.models import in_workspace
from portero.domain.audit.queries import workspace_keys
from portero.domain.audit.services import rows_of
from portero.domain.messaging.models import Contact, ContactIdentity
from portero.graphapi import phone
from portero.project.demo.seed import Made, MadeKey
from portero.project.demo.world import LUCIA, PEDRO, SOPORTE, VENTAS, customers
from portero.store.ids import uuid7, uuid7_of
from portero.store.records import Outcome, Record, RecordKind, digest_of, seal
from portero.store.workspace_keys import WorkspaceKeys

DAYS = 182
_A_DAY = 9
_BATCH = 500
_SEED = 11
_PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Habit:
    """Something a program does again and again, and how it ends.

    Attributes:
        weight: how often, compared with the others.
        abroad: whether the recipient is outside Mexico; None where nobody is written to.
        refused: (reason, sentence) of the refusal, None where it was allowed.
    """

    weight: int
    key: str
    operation: str
    event: str
    checks: tuple[str, ...]
    number: str
    method: str = "POST"
    path: str = "/{number}/messages"
    template: str | None = None
    abroad: bool | None = False
    refused: tuple[str, str] | None = None


def _send(weight: int, key: str, permission: str, number: str, **more: Any) -> Habit:
    checks = (permission, "template:use_utility") if "template" in more else (permission,)
    return Habit(weight, key, "send_message", "message.sent", checks, number, **more)


HABITS = (
    _send(46, "orders-bot", "send:template", VENTAS, template="order_update"),
    _send(22, "support-text", "send:text", SOPORTE),
    _send(5, "support-text", "send:reaction", SOPORTE),
    _send(9, "all", "send:image", VENTAS, abroad=True),
    _send(
        4, "orders-bot", "send:template", VENTAS, template="order_update", abroad=True,
        refused=("outside_scope", "send:template is not given here: country must be MX, not another."),
    ),
    _send(
        3, "reader", "send:text", VENTAS,
        refused=("permission_missing", "The permission send:text is missing."),
    ),
    _send(
        2, "support-text", "send:document", SOPORTE,
        refused=("permission_missing", "The permission send:document is missing."),
    ),
    Habit(
        9, "reader", "list_templates", "template.listed", ("template:read",), VENTAS,
        method="GET", path="/{waba}/message_templates", abroad=None,
    ),
)  # fmt: skip


def write_history(made: Made) -> None:
    """Meet the customers and write the records, in one transaction."""
    chance = random.Random(_SEED)  # noqa: S311 - a repeatable demo, not a secret
    now = datetime.now(UTC)
    phones = [LUCIA, PEDRO, *(customer["phone"] for customer in customers())]
    with in_workspace(made.workspace):
        keys = workspace_keys()
        _meet(phones, keys, chance, now)
        rows = [
            row
            for call in _calls(made, phones, chance, now)
            for row in _records(call, made, keys, chance)
        ]
        _store(rows)


def _meet(phones: Iterable[str], keys: WorkspaceKeys, chance: random.Random, now: datetime) -> None:
    contacts, identities = [], []
    for text in phones:
        met = now - timedelta(days=chance.uniform(0, DAYS))
        contact = Contact(id=uuid7(), created_at=met)
        row = uuid7()
        identity = phone.canonical(text).identity
        contacts.append(contact)
        identities.append(
            ContactIdentity(
                id=row,
                contact_id=contact.id,
                kind=_PHONE,
                digest=keys.contact_digest(_PHONE, identity),
                sealed=keys.seal("contact_identity", "sealed", row, text.encode()),
                created_at=met,
            )
        )
    Contact.objects.bulk_create(contacts, batch_size=_BATCH)
    ContactIdentity.objects.bulk_create(identities, batch_size=_BATCH)


@dataclass(frozen=True, slots=True)
class Call:
    habit: Habit
    key: MadeKey
    at: datetime
    to: str | None


def _calls(made: Made, phones: list[str], chance: random.Random, now: datetime) -> Iterator[Call]:
    """A few a day, fewer on Sundays, in the hours in which a shop is open."""
    here = [text for text in phones if text.startswith("52")]
    elsewhere = [text for text in phones if not text.startswith("52")]
    weights = [habit.weight for habit in HABITS]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for ago in range(DAYS, 0, -1):
        day = midnight - timedelta(days=ago)
        count = chance.randrange(_A_DAY // 2, _A_DAY + _A_DAY // 2)
        for _ in range(count // 3 if day.weekday() == 6 else count):
            [habit] = chance.choices(HABITS, weights)
            at = day + timedelta(hours=chance.uniform(15, 24))  # 9 to 18 in Mexico
            to = (
                None if habit.abroad is None else chance.choice(elsewhere if habit.abroad else here)
            )
            yield Call(habit, made.keys[habit.key], at, to)


def _records(
    call: Call, made: Made, keys: WorkspaceKeys, chance: random.Random
) -> Iterator[tuple[audit.Record, audit.RecordOpen]]:
    call_id = uuid7_of(int(call.at.timestamp() * 1000))
    version = chance.randrange(1, 4)
    yield rows_of(seal(_intent(call, call_id, made, keys, version), call.at))
    if call.habit.refused is None:
        answered = call.at + timedelta(milliseconds=chance.randrange(90, 900))
        yield rows_of(seal(_outcome(call, call_id, made, version, chance), answered))


def _intent(call: Call, call_id: UUID, made: Made, keys: WorkspaceKeys, version: int) -> Record:
    habit = call.habit
    reason, sentence = habit.refused or ("allowed", None)
    touched = [("number", habit.number), *([("contact", call.to)] if call.to else [])]
    return Record(
        workspace=made.workspace,
        call=call_id,
        kind=RecordKind.INTENT,
        event=habit.event,
        operation=habit.operation,
        effect="deny" if habit.refused else "allow",
        reason=reason,
        policy_version=version,
        actor=str(call.key.account),
        credential=str(call.key.id),
        checks=habit.checks,
        resources=tuple(digest_of(keys.digest_key(), kind, value) for kind, value in touched),
        because=() if habit.refused else (str(call.key.binding),),
        body=_without_none(
            {**_shown(call), "to": [call.to] if call.to else None, "sentence": sentence}
        ),
    )


def _outcome(call: Call, call_id: UUID, made: Made, version: int, chance: random.Random) -> Record:
    [outcome] = chance.choices((Outcome.DONE, Outcome.FAILED, Outcome.UNKNOWN), (96, 3, 1))
    status = {Outcome.DONE: 200, Outcome.FAILED: 400, Outcome.UNKNOWN: None}[outcome]
    return Record(
        workspace=made.workspace,
        call=call_id,
        kind=RecordKind.OUTCOME,
        event=call.habit.event,
        operation=call.habit.operation,
        effect="allow",
        reason=outcome,
        policy_version=version,
        actor=str(call.key.account),
        credential=str(call.key.id),
        because=(str(call.key.binding),),
        upstream_attempt=1,
        outcome=outcome,
        body=_without_none({**_shown(call), "status": status}),
    )


def _shown(call: Call) -> dict[str, Any]:
    habit = call.habit
    return {
        "method": habit.method,
        "path": habit.path,
        "ids": [habit.number],
        "template": habit.template,
        "address": "192.0.2.10",
    }


def _without_none(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _store(rows: list[tuple[audit.Record, audit.RecordOpen]]) -> None:
    audit.Record.objects.bulk_create([whole for whole, _ in rows], batch_size=_BATCH)
    audit.RecordOpen.objects.bulk_create([half for _, half in rows], batch_size=_BATCH)
