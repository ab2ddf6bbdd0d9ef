"""What a rule must look like before it is kept. Reading is as strict (`store.rules`)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields

import phonenumbers

from portero.domain.access.errors import InvalidRule
from portero.engine import PERMISSIONS, Conditions, Hours, Reach, Scope
from portero.engine.networks import parse_network
from portero.store import keys

MINUTES = 24 * 60
FRESHEST_S = 60
"""A second factor is asked for again after this at the soonest: it takes a while to go on from it."""
_LONGEST_NAME = 200
# Of what Unicode lets a face leave out (Default_Ignorable_Code_Point, 15.0) whatever counts as
# printable, and the blank of braille. What is not printable is refused as such.
_UNDRAWN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# With or without a scheme: mail programs make links of evil.example/login and evil.com alike. Of what
# has no path only endings that are in wide use count, or "Sr.Pedro" would be an address.
_ENDINGS = (
    "com|net|org|info|biz|edu|gov|mil|int|io|co|ai|app|dev|me|tv|cc|ws|xyz|top|site|online|store|shop|club"
    "|vip|live|link|click|icu|pro|mobi|name|tech|space|fun|cloud|page|web|website|world|today|life|digital"
    "|agency|email|support|help|zip|mov|ly|gl|gg|to|be|us|uk|eu|de|fr|it|es|pt|nl|ch|at|se|ru|su|cn|in|jp"
    "|mx|ar|br|cl|pe|uy|py|bo|ec|ve|cr|gt|hn|ni|pa|sv|do|cu|pr|ca|au|nz|za|tk|ml|ga|cf|gq|pw|example|test"
)
_ADDRESS = re.compile(
    r"\S*://\S*|\bwww\.\S*"
    r"|[\w.-]*\w\.[^\W\d_]{2,}[:/?#]\S*"
    rf"|[\w.-]*\w\.(?:{_ENDINGS}|xn--[\w-]+)(?![\w-])\S*"
    r"|\d+(?:\.\d+){3}[:/]\S*",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w.-]+")


def require_name(name: str) -> str:
    """Spell a name in one way, whatever keys it was typed with.

    Raises InvalidRule for what is empty, long or not printable.
    """
    spelled = unicodedata.normalize("NFKC", name).strip()
    if not spelled or len(spelled) > _LONGEST_NAME or not spelled.isprintable():
        raise InvalidRule(f"a name has between 1 and {_LONGEST_NAME} printable characters")
    # Letters that are drawn as nothing make two names of what reads as one (R03).
    if _UNDRAWN.search(spelled):
        raise InvalidRule("every character of a name is to be seen")
    # Names stand in mails to people who have never heard of us (X10). Many people are known by their
    # e-mail address alone, which opens no page.
    if _ADDRESS.search(spelled) and not _EMAIL.fullmatch(spelled):
        raise InvalidRule("a name holds no address of a page")
    # Names stand in lists, records and mails; a secret that was pasted for one would, too.
    if keys.find(spelled) is not None:
        raise InvalidRule("a name holds no key")
    return " ".join(spelled.split())


def without_addresses(said: str) -> str:
    """What somebody wrote, with an ellipsis in place of what a mail program would make a link of."""
    return _ADDRESS.sub("…", unicodedata.normalize("NFKC", said))


def require_cells(cells: Mapping[str, Reach]) -> dict[str, str]:
    """Spell cells as they are stored. Raises InvalidRule."""
    for permission, reach in cells.items():
        spec = PERMISSIONS.get(permission)
        if spec is None:
            raise InvalidRule(f"there is no permission {permission!r}")
        if not spec.ownable and reach not in (Reach.NONE, Reach.ALL):
            raise InvalidRule(f"{permission} acts on what nobody owns: it is all or none")
    return {key: reach.name.lower() for key, reach in cells.items() if reach > Reach.NONE}


def require_permissions(permissions: Iterable[str]) -> frozenset[str]:
    """Accept permission keys, at least one, and no patterns. Raises InvalidRule."""
    wanted = frozenset(permissions)
    if not wanted:
        raise InvalidRule("no permission means nothing: choose at least one")
    if unknown := sorted(wanted.difference(PERMISSIONS)):
        raise InvalidRule(f"there is no permission {unknown[0]!r}")
    return wanted


def require_patterns(patterns: Iterable[str], *, also: Collection[str] = ()) -> list[str]:
    """Accept permission keys, `resource:*` and what is named `also`. Raises InvalidRule."""
    resources = {key.partition(":")[0] for key in PERMISSIONS}
    wanted = sorted(set(patterns))
    for pattern in wanted:
        resource, _, action = pattern.partition(":")
        if pattern in PERMISSIONS or pattern in also:
            continue
        if not (action == "*" and resource in resources):
            raise InvalidRule(f"there is no permission {pattern!r}")
    if not wanted:
        raise InvalidRule("the rule names no permission")
    return wanted


def require_scope(scope: Scope) -> None:
    for dimension in fields(Scope):
        values = getattr(scope, dimension.name)
        if values is not None and not (values and all(values)):
            raise InvalidRule(f"the scope names nothing in {dimension.name}")
    if unknown := sorted(c for c in scope.countries or () if not is_country(c)):
        raise InvalidRule(f"no country's two capital letters, such as MX: {', '.join(unknown)}")


def is_country(text: str) -> bool:
    """Whether a phone number can be of it: a scope on anything else would never fit."""
    return text in phonenumbers.SUPPORTED_REGIONS


def require_conditions(conditions: Conditions) -> None:
    if conditions.hours is not None:
        require_hours(conditions.hours)
    if conditions.networks is not None:
        require_networks(conditions.networks)
    if conditions.fresh_factor_s is not None:
        require_fresh_factor(conditions.fresh_factor_s)


def require_fresh_factor(age_s: int) -> None:
    """Raises InvalidRule for an age that nobody's second factor can have in time."""
    if age_s < FRESHEST_S:
        raise InvalidRule(f"the second factor's age is {FRESHEST_S} seconds or more")


def require_hours(hours: Iterable[Hours]) -> None:
    windows = tuple(hours)
    for window in windows:
        days = window.days and window.days <= set(range(7))
        if not days or not 0 <= window.start < MINUTES or not 0 <= window.end <= MINUTES:
            raise InvalidRule("hours need days from 0 to 6 and minutes within a day")
    if not windows:
        raise InvalidRule("no hours means never: revoke instead")


def require_networks(networks: Iterable[str]) -> None:
    named = tuple(networks)
    if not named:
        raise InvalidRule("no network means nowhere: revoke instead")
    for network in named:
        if parse_network(network) is None:
            raise InvalidRule(f"not a network in CIDR notation, such as 10.0.0.0/8: {network!r}")
