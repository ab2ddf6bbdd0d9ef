"""Claims: what a request must say to mean one operation of a path, or to need one more permission.

A claim is a name ("pin"), a part inside a part ("calling.sip"), or either with a value
("action=connect", "metric_types=cost"); words are compared whatever their case. "!metric_types"
holds when the name is absent or says nothing, for parameters whose default means everything.
"""

from collections.abc import Mapping


def says(said: Mapping[str, object], claim: str) -> bool:
    """Whether a request with these values says what is claimed."""
    if claim.startswith("!"):
        return not said.get(claim[1:])
    path, _, wanted = claim.partition("=")
    value = _at(said, path)
    if not wanted:
        return value is not None
    values = value if isinstance(value, tuple | list) else (value,)
    return any(_word(one) == wanted.lower() for one in values)


def _at(said: Mapping[str, object], path: str) -> object:
    value: object = said
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _word(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.lower() if isinstance(value, str) else None
