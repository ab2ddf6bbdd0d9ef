"""Keys: a form scanners know, a checksum before any look-up, only a digest stored."""

from __future__ import annotations

import ast
import inspect
import random
import re

import pytest

from portero.store import keys
from portero.store.keys import KeyKind

PEPPER = bytes(range(32))


@pytest.mark.parametrize("kind", list(KeyKind))
def test_b5_1_a_new_key_has_the_documented_form(kind: KeyKind) -> None:
    key = keys.generate(kind)

    assert re.fullmatch(rf"ptr_{kind}_[0-9A-Za-z]{{12}}_[0-9A-Za-z]{{43}}_[0-9A-Za-z]{{6}}", key)
    parsed = keys.read(key)
    assert parsed is not None
    assert parsed == keys.ParsedKey(kind, key.split("_")[2])


def test_two_keys_share_neither_id_nor_secret() -> None:
    parts = [keys.generate(KeyKind.SERVICE).split("_") for _ in range(1000)]

    assert len({part[2] for part in parts}) == 1000
    assert len({part[3] for part in parts}) == 1000


def test_k03_a_hundred_thousand_mutated_keys_are_refused_before_any_look_up() -> None:
    """`read` sees text only: what it refuses, no caller can look up."""
    chance = random.Random(3)
    key = keys.generate(KeyKind.SERVICE)
    alphabet = "0123456789ABCxyz_- é\n\0"

    accepted = 0
    for _ in range(100_000):
        mutated = mutate(key, chance, alphabet)
        if mutated != key and keys.read(mutated) is not None:
            accepted += 1

    assert accepted == 0
    assert keys.read(key) is not None


def mutate(key: str, chance: random.Random, alphabet: str) -> str:
    place = chance.randrange(len(key))
    kind = chance.randrange(4)
    if kind == 0:
        return key[:place] + chance.choice(alphabet) + key[place + 1 :]
    if kind == 1:
        return key[:place] + key[place + 1 :]
    if kind == 2:
        return key[:place] + chance.choice(alphabet) + key[place:]
    other = chance.randrange(len(key))
    low, high = sorted((place, other))
    return key[:low] + key[low:high][::-1] + key[high:]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ptr_svc",
        "ptr_adm_" + "a" * 12 + "_" + "b" * 43 + "_000000",
        "ptr_svc_" + "٣" * 12 + "_" + "b" * 43 + "_000000",
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    assert keys.read(text) is None


def test_a_key_with_a_line_after_it_is_refused() -> None:
    assert keys.read(keys.generate(KeyKind.TEST) + "\n") is None


def test_a_key_matches_its_own_digest_under_its_own_pepper_only() -> None:
    key, other = keys.generate(KeyKind.SERVICE), keys.generate(KeyKind.SERVICE)
    stored = keys.digest(PEPPER, key)

    assert len(stored) == 32
    assert keys.matches(stored, PEPPER, key)
    assert not keys.matches(stored, PEPPER, other)
    assert not keys.matches(stored, b"other pepper", key)


def test_k02_keys_and_digests_are_compared_in_constant_time_only() -> None:
    tree = ast.parse(inspect.getsource(keys))
    compared = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Compare)]

    assert compared == ["match is None"]
