"""Mutated bodies: each is refused, or what would be sent means exactly what was decided on."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from graphapi.message_bodies import BSUID, CASES, GROUP_ID, WAMID
from portero.graphapi import strict_json
from portero.graphapi.errors import GraphError
from portero.graphapi.messages import Message, parse_message

BODIES = 5_000
SEED = 20_261_104
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    1,
    -1,
    1.5,
    "",
    "x",
    "text",
    "TEMPLATE",
    "image",
    "group",
    "read",
    "525512345678",
    "+52 1 55 1234 5678",
    "00525512345678",
    "\u0665\u0665",
    "123",
    123,
    BSUID,
    GROUP_ID,
    WAMID,
    "https://a.example/x",
    "https://u:p@a.example/x",
    [],
    {},
    ["525512345678", "34600111222"],
    {"id": "9"},
    {"body": "x"},
    {"message_id": WAMID},
)
NAMES = (
    "to",
    "recipient",
    "recipient_type",
    "type",
    "status",
    "message_id",
    "typing_indicator",
    "context",
    "text",
    "image",
    "template",
    "interactive",
    "audio",
    "id",
    "link",
    "voice",
    "header",
    "catalog_id",
    "TO",
    "x",
)


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


def _value(choose: random.Random) -> Any:
    return copy.deepcopy(choose.choice(VALUES))


def _values_by_name() -> dict[str, list[Any]]:
    """What documented bodies have under each name: plausible values to swap in."""
    values: dict[str, list[Any]] = {}
    for case in CASES:
        for container in _containers(case.body):
            if isinstance(container, dict):
                for name, value in container.items():
                    values.setdefault(name, []).append(value)
    return values


PLAUSIBLE = _values_by_name()


def _mutate(body: dict[str, Any], choose: random.Random) -> None:
    target = choose.choice(list(_containers(body)))
    if isinstance(target, list):
        _mutate_list(target, choose)
    else:
        _mutate_object(target, choose)


def _mutate_list(target: list[Any], choose: random.Random) -> None:
    change = choose.randrange(4)
    if not target or change == 0:
        target.append(_value(choose))
    elif change == 1:
        target.append(copy.deepcopy(choose.choice(target)))
    elif change == 2:
        del target[choose.randrange(len(target))]
    else:
        choose.shuffle(target)


def _mutate_object(target: dict[str, Any], choose: random.Random) -> None:
    change = choose.randrange(10)
    if not target or change == 0:
        target[choose.choice(NAMES)] = _value(choose)
        return
    name = choose.choice(list(target))
    if change == 1:
        target[choose.choice((name.upper(), f" {name}", f"{name}s"))] = target.pop(name)
    elif change == 2:
        target[name] = _value(choose)
    elif change == 3:
        del target[name]
    elif change == 4:
        target[name] = None
    elif change == 5 and isinstance(target[name], str):
        target[name] = target[name].upper()
    else:
        target[name] = copy.deepcopy(choose.choice(PLAUSIBLE.get(name, [None])))


def _mutants() -> Iterator[dict[str, Any]]:
    choose = random.Random(SEED)
    for _ in range(BODIES):
        body = choose.choice(CASES).copy()
        for _ in range(choose.randint(1, 2)):
            _mutate(body, choose)
        yield body


def _meaning(message: Message) -> tuple[object, ...]:
    return (
        message.type,
        message.permissions,
        message.ids,
        [(r.kind, r.value, r.country, r.identity) for r in message.recipients],
        message.template,
        message.contents,
        message.messages,
        message.body,
    )


def _ids_anywhere(value: Any) -> Iterator[str]:
    """Ids by the names Meta gives them, found without the schemas under test."""
    if isinstance(value, list):
        for inner in value:
            yield from _ids_anywhere(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in ("flow_action_payload", "flow_action_data"):
                continue
            if name in ("message_id", "flow_id", "catalog_id", "group_id"):
                yield str(inner)
            yield from _ids_anywhere(inner)
        if "id" in value and _is_media(value):
            yield str(value["id"])


def _is_media(value: dict[str, Any]) -> bool:
    return not {"title", "value"} & set(value)  # reply buttons, list rows and saved addresses


def _read(body: dict[str, Any]) -> Message | None:
    """What a body means; None when it is refused. Any other exception fails the tests."""
    wire = strict_json.loads(json.dumps(body).encode())
    try:
        return parse_message(wire)
    except GraphError:
        return None


@pytest.fixture(scope="module")
def accepted() -> list[tuple[dict[str, Any], Message]]:
    read = ((body, _read(body)) for body in _mutants())
    return [(body, message) for body, message in read if message is not None]


def test_g17_mutants_are_both_accepted_and_refused(
    accepted: list[tuple[dict[str, Any], Message]],
) -> None:
    assert BODIES // 5 < len(accepted) < BODIES * 4 // 5


def test_g17_what_is_sent_means_what_was_decided(
    accepted: list[tuple[dict[str, Any], Message]],
) -> None:
    for _, message in accepted:
        sent = strict_json.loads(json.dumps(message.body).encode())

        assert _meaning(parse_message(sent)) == _meaning(message)


def test_g17_every_id_that_is_sent_was_found(
    accepted: list[tuple[dict[str, Any], Message]],
) -> None:
    for _, message in accepted:
        found = {ref.value for ref in message.ids}
        if message.recipients and message.recipients[0].kind == "group":
            found.discard(message.recipients[0].value)
            found |= set(_ids_anywhere(message.body)) & {message.recipients[0].value}

        assert set(_ids_anywhere(message.body)) == found


def test_g17_exactly_one_recipient_is_sent_and_it_is_the_one_decided(
    accepted: list[tuple[dict[str, Any], Message]],
) -> None:
    for _, message in accepted:
        written = [message.body[name] for name in ("to", "recipient") if name in message.body]

        assert [str(one).removeprefix("+") for one in written] == [
            recipient.value for recipient in message.recipients
        ]


def test_g17_nothing_is_sent_under_a_name_the_caller_did_not_use(
    accepted: list[tuple[dict[str, Any], Message]],
) -> None:
    for body, message in accepted:
        assert set(message.body) - {"type", "recipient", "to"} <= set(body)


def test_g17_only_one_type_of_content_is_sent(
    accepted: list[tuple[dict[str, Any], Message]],
) -> None:
    contents = {case.body["type"] for case in CASES if "type" in case.body}

    for _, message in accepted:
        assert contents & set(message.body) == ({message.type} if message.type else set())
