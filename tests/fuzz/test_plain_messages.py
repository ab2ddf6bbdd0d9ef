"""Whatever the short way of a message reads, the general way reads as the same call."""

from __future__ import annotations

import random

from fuzz.conftest import OURS
from fuzz.draft import Draft
from fuzz.mutate import Dice, mutate
from fuzz.seeds import seeds
from portero.graphapi import parse as parsing
from portero.graphapi.errors import GraphError
from portero.graphapi.kinds import Kind
from portero.graphapi.operation import Call
from portero.graphapi.parse import RawCall

DRAWN = 20_000
NUMBER = OURS[Kind.NUMBER]
KINDS = {NUMBER: Kind.NUMBER, OURS[Kind.WABA]: Kind.WABA}


def _raw(draft: Draft) -> RawCall:
    types = [value for name, value in draft.headers if name.lower() == b"content-type"]
    query = b"&".join(name + b"=" + value for name, value in draft.query) + draft.tail
    return RawCall(
        method=draft.method.decode("latin-1"),
        path=b"/" + b"/".join(draft.path),
        query=query.removeprefix(b"?"),
        content_type=types[0].decode("latin-1") if types else None,
        body=draft.payload(),
    )


def _plainly(raw: RawCall) -> Call | None:
    try:
        path, operations = parsing._routed(raw.path)
    except GraphError:
        return None
    return parsing._plain_message(raw, path, KINDS) if operations[0] is parsing._SEND else None


def _generally(raw: RawCall) -> Call:
    path, operations = parsing._routed(raw.path)
    return parsing._parse(raw, path, operations, KINDS, None, None)


def test_a_plain_message_is_the_call_that_the_general_way_reads() -> None:
    messages = [seed for seed in seeds(OURS) if seed.target.endswith(f"{NUMBER}/messages")]
    die = random.Random("plain messages")
    dice = Dice(die, ["1", "99"], list(OURS.values()), "ptr_x")
    read = 0
    for _ in range(DRAWN):
        draft = die.choice(messages).fresh("ptr_x")
        mutate(draft, dice)
        raw = _raw(draft)
        plain = _plainly(raw)
        if plain is not None:
            read += 1
            general = _generally(raw)
            assert plain == general, draft
            assert list((plain.body or {}).items()) == list((general.body or {}).items())
            assert plain.path_ids == general.path_ids

    assert read > DRAWN // 10  # else the short way is short for nobody


def test_every_message_without_anything_unusual_takes_the_short_way() -> None:
    unread = {
        seed.name
        for seed in seeds(OURS)
        if seed.target.endswith(f"{NUMBER}/messages")
        and seed.kind == "json"
        and b'"status"' not in seed.body  # a receipt
        and _plainly(_raw(seed.fresh("ptr_x"))) is None
    }

    assert not unread
