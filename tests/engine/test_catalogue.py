"""The catalogue reads well, for people and for machines."""

from __future__ import annotations

import re

import pytest

from portero.engine import PERMISSIONS, Risk, Scope, covers


@pytest.mark.parametrize("spec", PERMISSIONS.values(), ids=lambda spec: spec.key)
def test_a_permission_is_named_and_described_alike(spec):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*:[a-z]+(_[a-z]+)*", spec.key)
    assert PERMISSIONS[spec.key] is spec
    assert re.fullmatch(r"[A-Z][^.|]+[^.|\s]", spec.sentence)
    assert spec.group
    assert spec.example


def test_no_two_permissions_share_a_sentence():
    sentences = [spec.sentence for spec in PERMISSIONS.values()]

    assert len(set(sentences)) == len(sentences)


def test_every_risk_class_is_used():
    assert {spec.risk for spec in PERMISSIONS.values()} == set(Risk)


def test_only_what_is_sent_or_called_has_an_owner():
    ownable = {key.partition(":")[0] for key, spec in PERMISSIONS.items() if spec.ownable}

    assert ownable == {"send", "call"}


@pytest.mark.parametrize(
    ("pattern", "permission", "covered"),
    [
        ("send:text", "send:text", True),
        ("send:*", "send:text", True),
        ("send:*", "sender:text", False),
        ("send:t*", "send:text", False),
        ("*", "send:text", False),
        ("", "send:text", False),
    ],
)
def test_a_pattern_is_a_key_or_a_whole_resource(pattern, permission, covered):
    assert covers(pattern, permission) == covered


@pytest.mark.parametrize(
    ("permission", "scope", "can_be"),
    [
        ("send:text", Scope(), True),
        ("send:text", Scope(numbers=frozenset({"a"}), countries=frozenset({"MX"})), True),
        ("send:text", Scope(template_sets=frozenset({"orders"})), False),
        ("template:read", Scope(template_sets=frozenset({"orders"})), True),
        ("template:read", Scope(numbers=frozenset({"a"})), False),
        ("api_key:create", Scope(), True),
        ("api_key:create", Scope(numbers=frozenset({"a"})), False),
        ("role:assign", Scope(labels=frozenset({"vip"}), bots=frozenset({"b"})), True),
    ],
)
def test_a_permission_can_be_where_its_requests_have_something(permission, scope, can_be):
    assert PERMISSIONS[permission].can_be_in(scope) == can_be
