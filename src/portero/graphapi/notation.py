"""The notation in which shapes are written as JSON data.

* a word: `text`, `text<=140`, `token`, `digits`, `url`, `callback`, `pin`, `code`, `integer`,
  `integer 1..30`, `number`, `boolean`, `moment` (Unix seconds or an ISO date), `any`, `phone`
  (a customer's number), `user` (a customer's business-scoped id), `id:template`, `one of PNG|SVG`, `$component` (a shape declared once under that name)
* a list: `["text"]`, `["text", 10]` at most ten, `["token", "commas"]` sent on between commas
* an object: `{"name!": "text", "email?": "text", "phone?": "text"}`; the exclamation mark says
  required, question marks say that exactly one of those must be given
"""

import re
from collections.abc import Mapping
from typing import Final

from portero.graphapi.kinds import Kind
from portero.graphapi.shapes import (
    MAX_ITEMS,
    Anything,
    Boolean,
    Choice,
    Id,
    Integer,
    Items,
    Members,
    Named,
    Number,
    Pattern,
    Phone,
    Shape,
    Text,
    UserId,
)

_TOKEN = Pattern(re.compile(r"[A-Za-z0-9_.:@-]{1,256}"), "a word of letters, digits and _.:@-")
_WORDS: Final[Mapping[str, Shape]] = {
    "text": Text(),
    "token": _TOKEN,
    "digits": Pattern(re.compile(r"[0-9]{1,20}"), "digits"),
    "url": Pattern(re.compile(r"https?://[!-~]{1,2000}"), "an http or https address"),
    "integer": Integer(),
    "number": Number(),
    "boolean": Boolean(),
    "moment": Pattern(re.compile(r"[0-9][0-9T:+.Z-]{0,39}"), "Unix seconds or an ISO date"),
    "any": Anything(),
    "callback": Pattern(re.compile(r"(?:https://[!-~]{1,200})?"), "an https address, or empty"),
    "pin": Pattern(re.compile(r"[0-9]{6}"), "six digits"),
    "code": Pattern(re.compile(r"[0-9]{3}-?[0-9]{3}"), "six digits, with or without a hyphen"),
    "phone": Phone(),
    "user": UserId(),
}
_TEXT = re.compile(r"text<=([0-9]+)")
_INTEGER = re.compile(r"integer (-?[0-9]+)\.\.(-?[0-9]+)")


class Notation:
    """Reads the notation; `shared` are the shapes that others refer to as `$name`."""

    def __init__(self, shared: Mapping[str, object]) -> None:
        self._shared: dict[str, Shape] = {}
        for name, written in shared.items():
            self._shared[name] = self.read(written)

    def read(self, written: object) -> Shape:
        """The shape that is written.

        Raises:
            ValueError: nothing in the notation is written so.
        """
        if isinstance(written, str):
            return self._word(written)
        if isinstance(written, list):
            return self._items(written)
        if isinstance(written, dict):
            return self.members(written)
        raise ValueError(f"not a shape: {written!r}")

    def members(self, written: Mapping[str, object]) -> Members:
        """The object that is written."""
        return Members(
            {name.rstrip("!?"): self.read(part) for name, part in written.items()},
            required=frozenset(name[:-1] for name in written if name.endswith("!")),
            either=frozenset(name[:-1] for name in written if name.endswith("?")),
        )

    def _items(self, written: list[object]) -> Items:
        of, *options = written
        limits = [option for option in options if isinstance(option, int)]
        most = limits[0] if limits else MAX_ITEMS
        return Items(self.read(of), max_items=most, commas="commas" in options)

    def _word(self, word: str) -> Shape:
        if word in _WORDS:
            return _WORDS[word]
        if word.startswith("$"):
            return self._named(word[1:])
        if word.startswith("id:"):
            return Id(Kind(word[3:]))
        if word.startswith("one of "):
            return Choice(tuple(word[7:].split("|")))
        if match := _TEXT.fullmatch(word):
            return Text(int(match[1]))
        if match := _INTEGER.fullmatch(word):
            return Integer(int(match[1]), int(match[2]))
        raise ValueError(f"not a shape: {word!r}")

    def _named(self, name: str) -> Named:
        return Named(lambda: self._shared[name])
