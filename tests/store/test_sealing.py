"""Secrets at rest open in their own place only, and never show themselves."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from dataclasses import replace
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portero.store.ids import uuid7
from portero.store.sealing import CannotOpen, KeyRing, Place, Secret, new_key
from portero.store.workspace_keys import PURPOSES, WorkspaceKeys, wrap_new_keys

CANARY = b"EAAcanary0123456789"
PLACE = Place(uuid7(), "credential", "sealed", uuid7())


@given(st.binary(max_size=2000))
def test_what_was_sealed_opens_in_its_place(value: bytes) -> None:
    ring = KeyRing.generate()

    assert ring.open(PLACE, ring.seal(PLACE, value)).reveal() == value


def test_the_same_value_is_never_sealed_the_same_way_twice() -> None:
    ring = KeyRing.generate()

    assert len({ring.seal(PLACE, CANARY) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, workspace=uuid7()),
        replace(PLACE, table="meta_app"),
        replace(PLACE, column="app_secret"),
        replace(PLACE, row=uuid7()),
    ],
)
def test_k11_a_ciphertext_moved_elsewhere_does_not_open(elsewhere: Place) -> None:
    ring = KeyRing.generate()

    with pytest.raises(CannotOpen):
        ring.open(elsewhere, ring.seal(PLACE, CANARY))


def test_k11_no_two_places_have_the_same_name() -> None:
    one = Place(UUID(int=1), "a", "b", UUID(int=2)).associated_data(1)
    others = [
        Place(UUID(int=2), "a", "b", UUID(int=1)).associated_data(1),
        Place(UUID(int=1), "a", "b", UUID(int=2)).associated_data(2),
        Place(UUID(int=1), "b", "a", UUID(int=2)).associated_data(1),
    ]

    assert one not in others


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_k11_a_ciphertext_with_any_bit_changed_does_not_open(place: int, flip: int) -> None:
    ring = KeyRing.generate()
    blob = bytearray(ring.seal(PLACE, CANARY))
    blob[place % len(blob)] ^= flip

    with pytest.raises(CannotOpen):
        ring.open(PLACE, bytes(blob))


def test_k11_a_ciphertext_cut_short_does_not_open() -> None:
    ring = KeyRing.generate()
    blob = ring.seal(PLACE, CANARY)

    for length in range(len(blob)):
        with pytest.raises(CannotOpen):
            ring.open(PLACE, blob[:length])


def test_k11_the_key_version_cannot_be_swapped() -> None:
    """Both versions hold the same key: only the associated data tells them apart."""
    key = new_key()
    ring = KeyRing({1: key, 2: key})
    blob = ring.seal(PLACE, CANARY)

    with pytest.raises(CannotOpen):
        ring.open(PLACE, blob[:1] + (1).to_bytes(4, "big") + blob[5:])


def test_b6_3_the_newest_version_seals_and_the_older_ones_still_open() -> None:
    old, new = new_key(), new_key()
    before = KeyRing({1: old}).seal(PLACE, CANARY)
    rotated = KeyRing({1: old, 2: new})

    assert rotated.open(PLACE, before).reveal() == CANARY
    after = rotated.seal(PLACE, CANARY)
    assert KeyRing({2: new}).open(PLACE, after).reveal() == CANARY
    with pytest.raises(CannotOpen):
        KeyRing({1: old}).open(PLACE, after)


def test_a_ring_reads_what_it_wrote() -> None:
    ring = KeyRing({1: new_key(), 7: new_key()})

    again = KeyRing.parse(ring.text())

    assert again.version == 7
    assert again.open(PLACE, ring.seal(PLACE, CANARY)).reveal() == CANARY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1:",
        "1:c2hvcnQ=",
        "0:" + "A" * 43 + "=",
        "x:" + "A" * 43 + "=",
        f"1:{'A' * 43}=\n1:{'B' * 43}=",
        "1:" + "!" * 43 + "=",
    ],
)
def test_a_ring_that_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - base64, int and the ring each say it their way
        KeyRing.parse(text)


def test_k12_a_secret_does_not_show_itself_in_text() -> None:
    secret = Secret(CANARY)

    shown = f"{secret} {secret!r} {secret!s} {[secret]} {{'k': {secret}}} %s" % secret

    assert CANARY.decode() not in shown
    assert shown.count("Secret(***)") == 6


def test_k12_a_secret_is_not_pickled_copied_or_put_into_json() -> None:
    secret = Secret(CANARY)

    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, orjson.dumps):
        with pytest.raises(TypeError):
            attempt(secret)
    with pytest.raises(TypeError):
        json.dumps(secret, default=vars)
    with pytest.raises(TypeError):
        hash(secret)


def test_k12_a_secret_shows_neither_in_logs_nor_in_tracebacks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = Secret(CANARY)

    def fail(token: Secret) -> None:
        raise RuntimeError(f"could not use {token}")

    try:
        fail(secret)
    except RuntimeError as error:
        logging.getLogger("test").exception("failed with %s", secret)
        text = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )

    assert CANARY.decode() not in text
    assert CANARY.decode() not in caplog.text
    assert "Secret(***)" in text


def test_k12_rings_and_workspace_keys_do_not_show_their_keys() -> None:
    kek, workspace = KeyRing.generate(), uuid7()
    keys = unwrapped(kek, workspace)
    clear = [line.split(":")[1] for ring in (kek, keys.data) for line in ring.text().split()]

    for text in clear:
        assert text not in f"{kek!r} {keys!r}"


def test_secrets_are_equal_by_what_they_hold() -> None:
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"


def unwrapped(kek: KeyRing, workspace: UUID) -> WorkspaceKeys:
    wrapped = wrap_new_keys(kek, workspace, [uuid7() for _ in PURPOSES])
    rows = [
        {"id": row, "purpose": purpose, "version": 1, "wrapped": blob}
        for row, purpose, blob in wrapped
    ]
    return WorkspaceKeys.unwrap(kek, workspace, rows)


def test_k11_a_workspaces_keys_do_not_open_as_anothers() -> None:
    kek, workspace = KeyRing.generate(), uuid7()
    ((row, purpose, blob), *_) = wrap_new_keys(kek, workspace, [uuid7() for _ in PURPOSES])
    moved = [{"id": row, "purpose": purpose, "version": 1, "wrapped": blob}]

    with pytest.raises(CannotOpen):
        WorkspaceKeys.unwrap(kek, uuid7(), moved)


def test_a_workspace_without_one_of_its_keys_is_not_served() -> None:
    with pytest.raises((KeyError, ValueError)):
        WorkspaceKeys.unwrap(KeyRing.generate(), uuid7(), [])
