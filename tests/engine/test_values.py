"""What the type checker holds frozen is data all the same: compared, hashed, and of fixed fields."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from portero.engine.values import valueclass


@valueclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


def test_values_are_what_their_fields_are() -> None:
    assert Point(1) == Point(1, 0) != Point(1, 1)
    assert len({Point(1), Point(1, 0), replace(Point(1), y=2)}) == 2
    assert [field.name for field in fields(Point)] == ["x", "y"]
    assert repr(Point(1)).endswith("Point(x=1, y=0)")


def test_values_have_no_other_fields() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]


def test_what_is_not_frozen_is_no_value() -> None:
    with pytest.raises(AssertionError):
        valueclass(frozen=False, slots=True)
