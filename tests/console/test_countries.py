"""A country is found by its name in each language of the console, and by its letters."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from portero.console import countries

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("MX", "MX"),
        ("mx", "MX"),
        ("México", "MX"),
        ("mexico", "MX"),
        (" Estados  Unidos ", "US"),
        ("Brasil", "BR"),
        ("Germany", "DE"),
        ("ZZ", None),
        ("", None),
        ("Mexiko", None),
    ],
)
def test_a_country_is_found_by_name_or_letters(said: str, code: str | None) -> None:
    assert countries.code_of(said) == code


def test_several_are_written_with_commas_or_letters_with_spaces() -> None:
    found = list(countries.named_in("MX es, Estados Unidos; Perú\nAtlantis"))

    assert [code for _said, code in found] == ["MX", "ES", "US", "PE", None]
    assert found[-1][0] == "Atlantis"


def test_the_names_are_those_that_were_written() -> None:
    written = runpy.run_path(str(ROOT / "tools" / "write_countries.py"))

    assert json.loads(written["PLACE"].read_bytes()) == written["names"]()
