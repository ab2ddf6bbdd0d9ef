"""Countries by the names people have for them: a rule holds two letters, which few know by heart."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from portero.domain.access.services.validation import is_country


def code_of(said: str) -> str | None:
    """The two letters of a country that was named, or written by them; None = there is none."""
    letters = said.strip().upper()
    return letters if is_country(letters) else _codes().get(_plain(said))


def named_in(text: str) -> Iterator[tuple[str, str | None]]:
    """What was written, and its two letters: names with commas or lines between, letters with spaces too."""
    for part in re.split(r"[,;\n]", text):
        whole = code_of(part)
        for one in [part.strip()] if whole else part.split():
            yield one, code_of(one)


@cache
def _codes() -> Mapping[str, str]:
    """Written by `tools/write_countries.py`."""
    found = json.loads(files("portero.console").joinpath("country_names.json").read_bytes())
    return {_plain(name): code for code, names in found.items() for name in names}


def _plain(name: str) -> str:
    apart = unicodedata.normalize("NFD", name.casefold())
    return " ".join("".join(one for one in apart if not unicodedata.combining(one)).split())
