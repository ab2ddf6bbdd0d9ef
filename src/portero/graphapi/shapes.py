"""The typed parts of requests and answers: read strictly on the way in, kept by name on the way out.

A shape reads a JSON value or the text of a parameter, and refuses what does not fit. On answers the
same shape keeps what it knows and drops the rest, at every depth.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from portero.graphapi import phone, scrubbing, strict_json
from portero.graphapi.kinds import IdRef, Kind, Recipient, has_shape
from portero.graphapi.refusals import malformed


class Dropped(Enum):
    """Stands for a value of an answer that does not fit its shape."""

    DROPPED = "dropped"


DROPPED: Final = Dropped.DROPPED
MAX_ITEMS: Final = 1000


@dataclass(slots=True)
class Found:
    """What reading a request came across: every id, and everybody it reaches."""

    ids: list[IdRef] = field(default_factory=list)
    recipients: list[Recipient] = field(default_factory=list)


class Shape(Protocol):
    """How one value is read and kept. `place` names it in refusals: `body.image.id`."""

    def read(self, value: object, place: str, found: Found) -> object:
        """The typed value of a JSON value.

        Raises:
            GraphError: malformed: the value does not fit.
        """

    def read_text(self, text: str, place: str, found: Found) -> object:
        """The typed value of a parameter written as text, in a query, a form or a modifier.

        Raises:
            GraphError: malformed: the text does not fit.
        """

    def keep(self, value: object) -> object:
        """What of an answer's value is shown; DROPPED when it does not fit."""


class _Scalar:
    """What single values share: text is read as the value is, answers keep any scalar.

    Answers are not held to the request's spelling: Meta's pages and Meta's servers disagree on
    whether sizes and times are text, and words are added to enumerations every month.
    """

    __slots__ = ()

    def read_text(self: Shape, text: str, place: str, found: Found) -> object:
        return self.read(text, place, found)

    def keep(self, value: object) -> object:
        if isinstance(value, str):
            return scrubbing.clean_text(value)
        return value if value is None or isinstance(value, int | float) else DROPPED


@dataclass(frozen=True, slots=True)
class Text(_Scalar):
    """Any text. Numbers are taken as their digits, as Graph does."""

    max_chars: int = 65_536

    def read(self, value: object, place: str, found: Found) -> str:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or "\x00" in text:
            raise malformed(f"{place} must be text.")
        if len(text) > self.max_chars:
            raise malformed(f"{place} is longer than {self.max_chars} characters.")
        return text


@dataclass(frozen=True, slots=True)
class Pattern(_Scalar):
    """Text of one spelling; `named` says which in a refusal."""

    pattern: re.Pattern[str]
    named: str

    def read(self, value: object, place: str, found: Found) -> str:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or self.pattern.fullmatch(text) is None:
            raise malformed(f"{place} must be {self.named}.")
        return text


@dataclass(frozen=True, slots=True)
class Choice(_Scalar):
    """One of a few words, whatever the case; sent on in the documented spelling."""

    words: tuple[str, ...]

    def read(self, value: object, place: str, found: Found) -> str:
        wanted = value.lower() if isinstance(value, str) else None
        for word in self.words:
            if word.lower() == wanted:
                return word
        raise malformed(f"{place} must be one of {', '.join(self.words)}.")


@dataclass(frozen=True, slots=True)
class Integer(_Scalar):
    """A whole number within bounds, as a number or as ASCII digits."""

    low: int = -(2**53)
    high: int = 2**53

    def read(self, value: object, place: str, found: Found) -> int:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise malformed(f"{place} must be a whole number.")
        if not self.low <= value <= self.high:
            raise malformed(f"{place} must be between {self.low} and {self.high}.")
        return value


@dataclass(frozen=True, slots=True)
class Number(_Scalar):
    """A number, as a number or as decimal text."""

    def read(self, value: object, place: str, found: Found) -> int | float:
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            return float(value)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise malformed(f"{place} must be a number.")
        return value


@dataclass(frozen=True, slots=True)
class Boolean(_Scalar):
    """True or false; the words in forms and queries."""

    def read(self, value: object, place: str, found: Found) -> bool:
        if isinstance(value, str):
            value = _BOOLEANS.get(value)
        if not isinstance(value, bool):
            raise malformed(f"{place} must be true or false.")
        return value


@dataclass(frozen=True, slots=True)
class Id(_Scalar):
    """An id of one kind, in the exact ASCII spelling of that kind."""

    kind: Kind

    def read(self, value: object, place: str, found: Found) -> str:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not has_shape(self.kind, text):
            raise malformed(f"{place} must be the id of a {self.kind.value.replace('_', ' ')}.")
        found.ids.append(IdRef(self.kind, text, place))
        return text


@dataclass(frozen=True, slots=True)
class Phone(_Scalar):
    """A customer's phone number, sent on as plus and digits.

    Never a user id: Meta would look for the digits in it, and reach another person.
    """

    def read(self, value: object, place: str, found: Found) -> str:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            raise malformed(f"{place} must be a phone number.")
        recipient = phone.canonical(text)
        found.recipients.append(recipient)
        return f"+{recipient.value}"


@dataclass(frozen=True, slots=True)
class UserId(_Scalar):
    """A customer's business-scoped user id."""

    def read(self, value: object, place: str, found: Found) -> str:
        if not isinstance(value, str):
            raise malformed(f"{place} must be a business-scoped user id, as text.")
        recipient = phone.business_scoped(value)
        found.recipients.append(recipient)
        return recipient.value


@dataclass(frozen=True, slots=True)
class Anything:
    """A JSON value whose members nobody lists: kept as it is, without credentials."""

    def read(self, value: object, place: str, found: Found) -> object:
        return value

    def read_text(self, text: str, place: str, found: Found) -> object:
        return strict_json.loads(text.encode())

    def keep(self, value: object) -> object:
        return scrubbing.clean(value)


@dataclass(frozen=True, slots=True)
class Items:
    """A list. As text: a JSON array, `[A,'b']`, or words between commas.

    `commas`: sent on as words between commas, where Meta documents no array.
    """

    of: Shape
    max_items: int = MAX_ITEMS
    commas: bool = False

    def read(self, value: object, place: str, found: Found) -> tuple[object, ...]:
        if isinstance(value, str):
            value = read_list(value, place)
        if not isinstance(value, list):
            raise malformed(f"{place} must be a list.")
        if len(value) > self.max_items:
            raise malformed(f"{place} has more than {self.max_items} items.")
        return tuple(self.of.read(v, f"{place}[{i}]", found) for i, v in enumerate(value))

    def read_text(self, text: str, place: str, found: Found) -> object:
        return self.read(text, place, found)

    def keep(self, value: object) -> object:
        if not isinstance(value, list):
            return DROPPED
        kept = [self.of.keep(item) for item in value]
        return [item for item in kept if item is not DROPPED]


@dataclass(frozen=True, slots=True)
class Members:
    """An object with a closed set of members.

    `required` must be given; of `either`, where there is any, exactly one: two names for one thing.
    """

    members: Mapping[str, Shape]
    required: frozenset[str] = frozenset()
    either: frozenset[str] = frozenset()

    def read(self, value: object, place: str, found: Found) -> dict[str, object]:
        if not isinstance(value, dict):
            raise malformed(f"{place} must be an object.")
        self.check(value, place)
        return {
            name: self.members[name].read(part, f"{place}.{name}", found)
            for name, part in value.items()
            if part is not None
        }

    def read_text(self, text: str, place: str, found: Found) -> object:
        return self.read(strict_json.loads(text.encode()), place, found)

    def keep(self, value: object) -> object:
        return self.keep_members(value) if isinstance(value, dict) else DROPPED

    def keep_members(self, value: Mapping[str, object]) -> dict[str, object]:
        """What is shown of an object: the members listed here that fit their shapes."""
        kept: dict[str, object] = {}
        for name, part in value.items():
            shape = self.members.get(name)
            if shape is not None and (shown := shape.keep(part)) is not DROPPED:
                kept[name] = shown
        return kept

    def check(self, given: Mapping[str, object], place: str) -> None:
        """Refuse unknown members, and missing or doubled required ones; null is not given.

        Raises:
            GraphError: malformed.
        """
        for name in given:
            if name not in self.members:
                raise malformed(f"{place} has an unknown member '{name[:64]}'.")
        for name in self.required:
            if given.get(name) is None:
                raise malformed(f"{place}.{name} is missing.")
        if self.either and sum(given.get(name) is not None for name in self.either) != 1:
            names = " or ".join(f"{place}.{name}" for name in sorted(self.either))
            raise malformed(f"Exactly one of {names} must be given.")


@dataclass(frozen=True, slots=True)
class Named:
    """A shape that is declared once under a name and may contain itself."""

    resolve: Callable[[], Shape]

    def read(self, value: object, place: str, found: Found) -> object:
        return self.resolve().read(value, place, found)

    def read_text(self, text: str, place: str, found: Found) -> object:
        return self.resolve().read_text(text, place, found)

    def keep(self, value: object) -> object:
        return self.resolve().keep(value)


_INTEGER = re.compile(r"-?[0-9]{1,16}")
_DECIMAL = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,16})?")
_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}
# The space behind a bare word is the word's: two ways to read it would be tried against each other.
_ITEM = re.compile(r"""\s*(?:'([^'"\\]*)'\s*|([^\s'",\[\]{}\\][^'",\[\]{}\\]*))(?:,|$)""")


def read_list(text: str, place: str) -> list[object]:
    """The items of a list written as a JSON array, as `[A,'b']`, or between commas.

    Raises:
        GraphError: malformed: not such a list.
    """
    inner = text.strip()
    if inner.startswith("["):
        if '"' in inner or "{" in inner:
            return _json_list(inner, place)
        if not inner.endswith("]"):
            raise malformed(f"{place} is a list that does not end.")
        inner = inner[1:-1].strip()
    return _words(inner, place)


def _json_list(text: str, place: str) -> list[object]:
    value = strict_json.loads(text.encode())
    if not isinstance(value, list):
        raise malformed(f"{place} must be a list.")
    return value


def _words(text: str, place: str) -> list[object]:
    words: list[object] = []
    position = 0
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None:
            raise malformed(f"{place} must be a list of words.")
        words.append((match[1] if match[1] is not None else match[2]).strip())
        position = match.end()
    return words
