"""A refusal in words: what is missing, what was wanted and what was there, what to do."""

import re
from collections.abc import Mapping

from portero import engine

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{5,20}")
_NOBODY = "This request was refused ({reason})."


def refusal_sentence(explanation: engine.Explanation, names: Mapping[str, str]) -> str:
    """One paragraph for `error_data.details`: the failing part, then the smallest change.

    `names` says what people call the things that stand here by their id.
    """
    refused = next((check for check in explanation.checks if not check.allowed), None)
    parts = [_what(refused, explanation.decision.reason)]
    parts += [change.sentence() for change in explanation.changes]
    bindings = _bindings(refused, names)
    return _ID.sub(
        lambda found: _named(found[0], bindings.get(found[0]) or names.get(found[0])),
        " ".join(parts),
    )


def refused_facts(explanation: engine.Explanation) -> dict[str, object]:
    """What the sentence says, for a record that is told in other languages.

    `permission` is of the check that failed; `failing` has each part of the closest rule that did not
    hold, as [dimension, wanted, actual], with ids as they are.
    """
    refused = next((check for check in explanation.checks if not check.allowed), None)
    if refused is None:
        return {}
    if refused.missed and not refused.matched:
        failing = refused.missed[0].failing
    else:
        failing = refused.credential.failing if refused.credential is not None else ()
    return {
        "permission": refused.missing or refused.check.permission,
        "failing": [[one.dimension, _plain(one.wanted), _plain(one.actual)] for one in failing],
    }


def _plain(value: object) -> object:
    """As JSON has it: several values as a sorted list, one as a text."""
    if value is None:
        return None
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    return value.name.lower() if isinstance(value, engine.Reach) else _words(value)


def _bindings(refused: engine.CheckAccount | None, names: Mapping[str, str]) -> dict[str, str]:
    """A binding goes by the name of its role."""
    missed = () if refused is None else refused.missed
    return {one.id: names.get(one.role or "", one.id) for one in missed}


def _named(text: str, name: str | None) -> str:
    if name is None:
        return text
    # People cannot look an id of ours up by eye; a number of Meta's they can, so it stays.
    return f"“{name}” ({text})" if text.isdigit() else f"“{name}”"


def _what(refused: engine.CheckAccount | None, reason: str) -> str:
    if refused is None:
        return _NOBODY.format(reason=reason)
    permission = refused.check.permission
    if refused.missing is not None:
        return f"The permission {refused.missing} is missing."
    if refused.missed and not refused.matched:
        return f"{permission} is not given here: {_failings(refused.missed[0].failing)}."
    if refused.credential is not None:
        return f"The key does not cover this {permission}: {_failings(refused.credential.failing)}."
    names = ", ".join(f"“{guardrail.name}”" for guardrail in refused.guardrails)
    return f"The guardrail {names} does not let {permission} happen here."


def _failings(failing: tuple[engine.Failing, ...]) -> str:
    return "; ".join(map(_failing, failing))


def _failing(one: engine.Failing) -> str:
    wanted, actual = _words(one.wanted), _words(one.actual)
    if one.dimension == "reach":
        return f"the role reaches “{wanted}”, and this needs “{actual}”"
    return f"{one.dimension.replace('_', ' ')} must be {wanted}, not {actual}"


def _words(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, engine.Reach):
        return value.name.lower()
    if isinstance(value, frozenset | tuple):
        return " or ".join(sorted(_words(one) for one in value)) or "none"
    if isinstance(value, engine.Hours):
        days = ",".join(_DAYS[day] for day in sorted(value.days))
        return f"{days} {_clock(value.start)}-{_clock(value.end)}"
    return str(value)


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
