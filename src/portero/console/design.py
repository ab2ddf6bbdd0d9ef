"""The design system on one page, drawn from the style sheet itself: where nobody works, only where one tries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import cos, radians, sin
from pathlib import Path

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portero.console.forms import Form
from portero.engine import PERMISSIONS, Reach, Risk

_SHEET = Path(__file__).parent / "static" / "console.css"
_COLOUR = r"oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)"
_TOKEN = re.compile(rf"--([\w-]+): light-dark\({_COLOUR}, {_COLOUR}\);")
TEXT, GRAPHIC = 4.5, 3.0
"""The least contrasts of WCAG 2.2: of text (1.4.3), and of what is drawn and must be made out (1.4.11)."""

Colour = tuple[float, float, float]
"""Lightness and chroma from 0 to 1 and 0 to 0.4, hue in degrees."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tokens that meet on pages, one drawn on the other."""

    front: str
    back: str
    least: float

    def contrast(self, *, dark: bool) -> float:
        one, other = (luminance(tokens()[name][dark]) for name in (self.front, self.back))
        return (max(one, other) + 0.05) / (min(one, other) + 0.05)


PAIRS: Sequence[Pair] = (
    *(
        Pair(ink, ground, TEXT)
        for ink in ("ink", "ink-2", "ink-3", "accent-ink", "stop-ink")
        for ground in ("bg", "surface", "sunken")
    ),
    Pair("on-accent", "accent", TEXT),
    Pair("accent-ink", "accent-wash", TEXT),
    Pair("ink", "accent-wash", TEXT),
    Pair("ink", "who", TEXT),
    *(Pair(f"on-{ground}", ground, TEXT) for ground in ("own", "queue", "team", "all", "lens")),
    *(
        Pair(mark, ground, GRAPHIC)
        for mark in ("line-strong", "ok", "stop", "accent")
        for ground in ("bg", "surface")
    ),
)


@cache
def tokens() -> Mapping[str, tuple[Colour, Colour]]:
    """Every colour of the style sheet by name: for light and for dark."""
    found = {}
    for name, *numbers in _TOKEN.findall(_SHEET.read_text()):
        light, dark = numbers[:3], numbers[3:]
        found[name] = (_read(light), _read(dark))
    return found


def _read(numbers: Sequence[str]) -> Colour:
    lightness, chroma, hue = map(float, numbers)
    return lightness / 100, chroma, hue


def luminance(colour: Colour) -> float:
    """The relative luminance of WCAG, by way of linear sRGB (CSS Color 4)."""
    lightness, chroma, hue = colour
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return sum(
        weight * min(max(part, 0.0), 1.0)
        for weight, part in ((0.2126, red), (0.7152, green), (0.0722, blue))
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """A pair as the page shows it."""

    pair: Pair
    light: str
    dark: str


def design(request: HttpRequest) -> HttpResponse:
    spec = next(one for one in PERMISSIONS.values() if one.personal)
    context = {
        "colours": [(name, f"var(--{name})") for name in tokens()],
        "pairs": [
            Shown(one, f"{one.contrast(dark=False):.1f}", f"{one.contrast(dark=True):.1f}")
            for one in PAIRS
        ],
        "reaches": [(reach.name.lower(), reach) for reach in Reach],
        "risks": [str(risk) for risk in Risk if risk is not Risk.ROUTINE],
        "spec": spec,
        "form": _Example(),
        "refused": _Example({"name": ""}),
    }
    return render(request, "console/design.html", context)


class _Example(Form):
    name = forms.CharField(label="Name", help_text="Whoever is stopped by it reads this.")
    role = forms.ChoiceField(
        label="Role", choices=[("agent", "Agent"), ("analyst", "Analyst")], required=False
    )
