"""A small language for closed shapes of JSON, in which the message types are written down.

A rule reads one JSON value and returns its typed copy: known members only, nulls dropped, choices
in their canonical spelling. On the way it notes every id it meets. Reading the copy again gives the
same copy, so what is decided on is what is sent.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Protocol

from portero.graphapi import refusals
from portero.graphapi.errors import GraphError
from portero.graphapi.kinds import IdRef, Kind, has_shape

ROOT: Final = "body"
LINK_MAX: Final = 2048

_LINK = re.compile(r"https?://[^\s/?#@\\]+(?:[/?#][^\s\\]*)?", re.IGNORECASE)
_DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,20})?")
_BOOLEANS: Mapping[str, bool] = MappingProxyType({"true": True, "false": False})
_SHOWN_MAX: Final = 60

Typed = dict[str, object]
Demand = Callable[[Typed], str | None]
"""What an object must be beyond its members: None when it is, else how "must …" goes on."""


class Rule(Protocol):
    """What a JSON value must be."""

    def read(self, value: object, place: str, found: list[IdRef]) -> object:
        """The typed copy of `value`, which stands at `place` ("body.image.id"); ids go to `found`.

        Raises:
            GraphError: malformed: the value breaks the rule.
        """


def parameter(place: str) -> str:
    """How an error names a place: as Meta does, without our leading "body."."""
    return f"Parameter '{place.removeprefix(ROOT + '.')}'"


def wrong(place: str, must: str) -> GraphError:
    """The refusal of a value that is there but not what it must be."""
    return refusals.malformed(f"{parameter(place)} must {must}.")


@dataclass(frozen=True, slots=True)
class Text:
    """A string of `least` to `most` characters, without NUL, optionally of a pattern.

    `scalar` also takes numbers and booleans, in their JSON spelling, as Meta's own samples have.
    """

    most: int
    least: int = 1
    pattern: re.Pattern[str] | None = None
    scalar: bool = False

    def read(self, value: object, place: str, found: list[IdRef]) -> str:
        """The string itself."""
        if self.scalar and isinstance(value, bool | int | float):
            value = json.dumps(value)
        if not isinstance(value, str):
            raise wrong(place, "be a string")
        if len(value) < self.least:
            raise wrong(place, "not be empty")
        if len(value) > self.most:
            raise wrong(place, f"have at most {self.most} characters")
        if "\x00" in value or (self.pattern is not None and not self.pattern.fullmatch(value)):
            raise wrong(place, "not have unusual characters")
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean; also the strings "true" and "false", which forms send."""

    def read(self, value: object, place: str, found: list[IdRef]) -> bool:
        """The boolean."""
        flag = _BOOLEANS.get(value) if isinstance(value, str) else value
        if not isinstance(flag, bool):
            raise wrong(place, "be true or false")
        return flag


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `least` to `most`; also one in a string, which stays a string."""

    least: float
    most: float
    whole: bool = False

    def read(self, value: object, place: str, found: list[IdRef]) -> object:
        """The number, spelled as it came."""
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            number: int | float = float(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            number = value
        else:
            raise wrong(place, "be a number")
        if not self.least <= number <= self.most:
            raise wrong(place, f"be between {self.least} and {self.most}")
        if self.whole and number != int(number):
            raise wrong(place, "be a whole number")
        return value


@dataclass(frozen=True, slots=True)
class Id:
    """An id of one kind, as a string or a whole number; it is noted."""

    kind: Kind

    def read(self, value: object, place: str, found: list[IdRef]) -> str:
        """The id as a string."""
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not has_shape(self.kind, text):
            raise wrong(place, f"be a {self.kind.value} id")
        found.append(IdRef(self.kind, text, place))
        return text


@dataclass(frozen=True, slots=True)
class Address:
    """Whom to reach: a string, or a number that a client did not quote."""

    def read(self, value: object, place: str, found: list[IdRef]) -> str:
        """The text; whom it names is settled once the whole body is known."""
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not text:
            raise wrong(place, "be one recipient, as a string")
        return text


@dataclass(frozen=True, slots=True)
class Link:
    """An http or https address without user information; Meta fetches it, we never do."""

    def read(self, value: object, place: str, found: list[IdRef]) -> str:
        """The address as written."""
        if not isinstance(value, str) or len(value) > LINK_MAX or not _LINK.fullmatch(value):
            raise wrong(place, f"be an http or https URL of at most {LINK_MAX} characters")
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words, in any case."""

    words: tuple[str, ...]
    by_folded: Mapping[str, str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Find once how each word is written in lower case."""
        object.__setattr__(self, "by_folded", {word.lower(): word for word in self.words})

    def read(self, value: object, place: str, found: list[IdRef]) -> str:
        """The word as Meta spells it."""
        word = self.by_folded.get(fold(value))
        if word is None:
            raise wrong(place, f"be one of {{{', '.join(self.words)}}}")
        return word


@dataclass(frozen=True, slots=True)
class Opaque:
    """Any JSON object: data that Graph hands on without reading (a Flow's, a payment gateway's)."""

    def read(self, value: object, place: str, found: list[IdRef]) -> Typed:
        """The object unchanged."""
        if not isinstance(value, dict):
            raise wrong(place, "be an object")
        return value


@dataclass(frozen=True, slots=True)
class Array:
    """A list of `least` to `most` values of one rule."""

    item: Rule
    most: int
    least: int = 1

    def read(self, value: object, place: str, found: list[IdRef]) -> list[object]:
        """The typed list."""
        if not isinstance(value, list):
            raise wrong(place, "be a list")
        if not self.least <= len(value) <= self.most:
            raise wrong(place, f"have {self.least} to {self.most} elements")
        return [self.item.read(inner, f"{place}[{i}]", found) for i, inner in enumerate(value)]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object and whether it must be there."""

    rule: Rule
    required: bool


@dataclass(frozen=True, slots=True)
class Object:
    """An object of exactly these members.

    Attributes:
        members: what it may have, by name.
        either: names of which exactly one is there.
        demands: what it must be beyond that.
        dropped: names that a client library sends and Meta ignores; never passed on.
        required: the members that have to be there.
    """

    members: Mapping[str, Member]
    either: tuple[str, ...] = ()
    demands: tuple[Demand, ...] = ()
    dropped: tuple[str, ...] = ()
    required: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find once what has to be there; every message is held against it."""
        required = tuple(name for name, member in self.members.items() if member.required)
        object.__setattr__(self, "required", required)

    def read(self, value: object, place: str, found: list[IdRef]) -> Typed:
        """The typed members, in the order they came; null counts as absent."""
        if not isinstance(value, dict):
            raise wrong(place, "be an object")
        typed: Typed = {}
        for name, inner in value.items():
            member = self.members.get(name)
            if member is None:
                if name in self.dropped:
                    continue
                raise _unexpected(name, place)
            if inner is not None:
                typed[name] = member.rule.read(inner, f"{place}.{name}", found)
        self._complete(typed, place)
        return typed

    def _complete(self, typed: Typed, place: str) -> None:
        for name in self.required:
            if name not in typed:
                raise refusals.malformed(f"{parameter(f'{place}.{name}')} is mandatory.")
        if self.either and sum(name in typed for name in self.either) != 1:
            raise wrong(place, f"have exactly one of {{{', '.join(self.either)}}}")
        for demand in self.demands:
            if (must := demand(typed)) is not None:
                raise wrong(place, must)


@dataclass(frozen=True, slots=True)
class Tagged:
    """One of several objects, told apart by the word in the member `tag`."""

    tag: str
    variants: Mapping[str, Object]

    def read(self, value: object, place: str, found: list[IdRef]) -> Typed:
        """The typed object of the variant that the tag names."""
        if not isinstance(value, dict):
            raise wrong(place, "be an object")
        tag_place = f"{place}.{self.tag}"
        if value.get(self.tag) is None:
            raise refusals.malformed(f"{parameter(tag_place)} is mandatory.")
        variant = self.variants.get(fold(value[self.tag]))
        if variant is None:
            raise wrong(tag_place, f"be one of {{{', '.join(self.variants)}}}")
        return variant.read(value, place, found)


def must(rule: Rule) -> Member:
    """A member that has to be there."""
    return Member(rule, required=True)


def may(rule: Rule) -> Member:
    """A member that may be left out."""
    return Member(rule, required=False)


def obj(
    members: Mapping[str, Member] | None = None,
    *,
    either: tuple[str, ...] = (),
    demands: tuple[Demand, ...] = (),
    dropped: tuple[str, ...] = (),
    **more: Member,
) -> Object:
    """An object of `members` and `more`."""
    return Object(MappingProxyType({**(members or {}), **more}), either, demands, dropped)


def one_of(*words: str) -> Choice:
    """One of these words."""
    return Choice(words)


def tagged(tag: str, variants: Mapping[str, Object]) -> Tagged:
    """The variants by tag; each gains the tag as a member."""
    return Tagged(
        tag,
        MappingProxyType(
            {
                name: replace(
                    variant,
                    members=MappingProxyType({tag: must(Choice((name,))), **variant.members}),
                )
                for name, variant in variants.items()
            }
        ),
    )


def fold(value: object) -> str:
    """A word in lower case; empty for what is no ASCII word."""
    return value.lower() if isinstance(value, str) and value.isascii() else ""


def _unexpected(name: str, place: str) -> GraphError:
    shown = name[:_SHOWN_MAX] if name.isascii() and name.isprintable() else "?"
    inside = "" if place == ROOT else f" in '{place.removeprefix(ROOT + '.')}'"
    return refusals.malformed(f"Unexpected parameter '{shown}'{inside}.")
