"""Hostile requests by the thousand: each is refused, or what arrives at Meta is what was decided.

A failure prints the seed and the request; `PORTERO_TEST_SEED` chooses other ones.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from fuzz.campaign import Campaign, Row
from portero.gateway import forwarding, understanding
from portero.graphapi import messages, strict_json
from portero.graphapi.operation import Call, RiskClass
from portero.graphapi.operations import OPERATIONS
from portero.graphapi.parse import RawCall
from portero.graphapi.parse import parse as read
from portero.graphapi.upstream import Upstream, rebuild

CI, LONG = 20_000, 1_000_000
# A file in an upload session: no door takes its bytes yet, so none of it may ever arrive.
_NO_DOOR = {"upload_bytes"}
OFFERED = {o.name for o in OPERATIONS if o.risk not in {RiskClass.NEVER, RiskClass.HIGH_RISK}}


def told(found: list[str]) -> str:
    return "\n\n".join(text[:4000] for text in found[:10])


def test_g14_g21_g34_a_mutated_request_is_refused_or_arrives_as_it_was_decided(
    campaign: Campaign, db: psycopg.Connection[Row]
) -> None:
    found = campaign.run(db, 0, CI)

    assert not found, told(found)
    assert campaign.shots == CI
    assert campaign.arrivals > CI // 10  # most is refused, and that alone would show nothing
    assert OFFERED - campaign.reached.keys() == _NO_DOOR


@pytest.mark.long
def test_g14_g21_g34_a_million_mutated_requests_are_refused_or_arrive_as_decided(
    campaign: Campaign, db: psycopg.Connection[Row]
) -> None:
    for first in range(CI, CI + LONG, CI):
        found = campaign.run(db, first, min(CI, CI + LONG - first))
        assert not found, told(found)
        campaign.forget(db)
        print(f"\n{campaign}", end="", flush=True)  # noqa: T201 - the figures of a long run

    assert campaign.shots == LONG


# What is seen when a guard is away


def test_g14_control_a_lenient_parser_and_the_callers_bytes_are_found_out(
    campaign: Campaign, db: psycopg.Connection[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    raw_of: dict[int, RawCall] = {}

    def parse(raw: RawCall, kinds: Any, **more: Any) -> Call:
        call = read(raw, kinds, **more)
        raw_of[id(call.params)] = raw
        return call

    def passed_on(call: Call, **how: Any) -> Upstream:
        made = rebuild(call, **how)
        return replace(made, body=raw_of[id(call.params)].body) if made.body else made

    monkeypatch.setattr(strict_json, "loads", _first_wins)
    monkeypatch.setattr(understanding, "parse", parse)
    monkeypatch.setattr(forwarding, "rebuild", passed_on)

    found = campaign.run(db, 0, CI)

    assert any("no record means it" in text for text in found), told(found)


def _first_wins(data: bytes) -> object:
    return json.loads(data, object_pairs_hook=lambda pairs: dict(reversed(pairs)))


def test_g17_control_deciding_on_another_member_than_meta_reads_is_found_out(
    campaign: Campaign, db: psycopg.Connection[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = messages.parse_message

    def of_the_recipient(body: Any, **more: Any) -> Any:
        if not {"to", "recipient"} <= body.keys():
            return genuine(body, **more)
        message = genuine({k: v for k, v in body.items() if k != "to"}, **more)
        return replace(message, body={**message.body, "to": body["to"]})

    monkeypatch.setattr(messages, "parse_message", of_the_recipient)

    found = campaign.run(db, 0, CI)

    assert any("no record means it" in text for text in found), told(found)


def test_g21_control_ids_that_nobody_looks_up_are_found_out(
    campaign: Campaign, db: psycopg.Connection[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(understanding, "known_ids", lambda *_: None)

    found = campaign.run(db, 0, CI)

    assert any("somebody else's id arrived" in text for text in found), told(found)
