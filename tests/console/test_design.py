"""Every pair of colours that meets on a page can be told apart, in light and in dark."""

from __future__ import annotations

import re

import pytest

from portero.console import design
from portero.console.design import PAIRS, Pair, luminance, tokens


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.front} on {pair.back}")
def test_the_contrast_is_enough(pair: Pair, *, dark: bool) -> None:
    assert pair.contrast(dark=dark) >= pair.least


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((1.0, 0.0, 0.0), 1.0),
        ((0.0, 0.0, 0.0), 0.0),
        ((0.6279554, 0.2576833, 29.2338851), 0.2126),  # sRGB red
        ((0.8664396, 0.2948272, 142.4953388), 0.7152),  # green
        ((0.4520137, 0.3132144, 264.052021), 0.0722),  # blue
    ],
)
def test_luminance_is_that_of_srgb(colour: design.Colour, expected: float) -> None:
    assert luminance(colour) == pytest.approx(expected, abs=1e-3)


def test_control_a_pale_text_is_found() -> None:
    assert Pair("line", "bg", design.TEXT).contrast(dark=False) < design.TEXT


def test_no_colour_stands_outside_the_tokens() -> None:
    """What is drawn reads roles: a pigment in a component would not change with the theme."""
    sheet = design._SHEET.read_text()
    named = re.sub(r"--(veil|shade): [^;]+;", "", design._TOKEN.sub("", sheet))

    assert len(tokens()) == sheet.count("light-dark(oklch") > 12
    assert set(re.findall(r"(?:oklch|rgb|hsl)\([^)]*\)", named)) == set()
