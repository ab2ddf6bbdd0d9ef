"""What `portero why` answers: the decision, and how it came about, with names for ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from portero import engine
from portero.domain.access.services.validation import is_country
from portero.domain.workspaces import queries as things
from portero.domain.workspaces.errors import UnknownTemplate
from portero.gateway.sentences import refusal_sentence
from portero.graphapi import phone
from portero.graphapi.errors import GraphError
from portero.project.cli.problems import ExitCode, Problem
from portero.project.cli.work.directory import Directory, reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May `who` do this to that? Names as people use them; None = not said."""

    who: str
    permission: str
    number: str | None
    template: str | None
    country: str | None
    to: str | None
    team: str | None
    own: bool


def answer(workspace: UUID, question: Question) -> dict[str, Any]:
    """Raises Problem for names that are not known."""
    with reading(workspace) as known:
        return _answer(known, question)


def _answer(known: Directory, question: Question) -> dict[str, Any]:
    principal, credential = _who(known, question.who)
    checks = _checks(known, question, principal)
    context = things.Circumstances(datetime.now(UTC)).context(known.state.zone)
    told = things.account(known.state, principal, checks, context, credential)
    explanation, decision = told.explanation, told.explanation.decision
    return {
        "principal": {"id": principal, "name": known.name(principal)},
        "key": credential,
        "permission": question.permission,
        "allowed": decision.allowed,
        "depends": [[_met(known, one) for one in way] for way in told.depends],
        "reason": str(decision.reason),
        "sentence": _sentence(known, explanation),
        "checks": [_check(known, one) for one in explanation.checks],
        # Who has it needs no wider role, only a question that says more.
        "change": []
        if told.depends
        else [known.in_words(change.sentence()) for change in explanation.changes],
        "who_can_give": [one.name for one in told.grantors],
        "obligations": [f"{o.kind}:{known.in_words(o.name)}" for o in decision.obligations],
        "policy_version": decision.policy_version,
    }


def _who(known: Directory, text: str) -> tuple[str, str | None]:
    """Principal and credential. A key says more than the service account of the same name."""
    key = known.find_key(text)
    if key is not None:
        return str(key.principal_id), str(key.id)
    return known.principal(text), None


def _checks(known: Directory, question: Question, principal: str) -> tuple[engine.Check, ...]:
    """What the gateway would ask for such a call."""
    if question.permission not in engine.PERMISSIONS:
        near = [k for k in engine.PERMISSIONS if question.permission.partition(":")[0] in k]
        hint = f": there are {', '.join(near)}" if near else ""
        raise Problem(f"there is no permission {question.permission!r}{hint}", ExitCode.USAGE)
    thing = things.Thing(
        number=known.number(question.number) if question.number is not None else None,
        template=question.template,
        country=_country(question),
        team=known.team(question.team) if question.team is not None else None,
        whose=things.Whose.THEIRS if question.own else things.Whose.NOBODY,
    )
    try:
        return things.checks_of([question.permission], thing, principal)
    except UnknownTemplate:
        raise Problem(f"there is no template {question.template!r}", ExitCode.USAGE) from None


def _country(question: Question) -> str | None:
    if question.to is not None and question.country is not None:
        raise Problem("a recipient has a country: give --to or --country", ExitCode.USAGE)
    if question.to is None:
        country = question.country.upper() if question.country is not None else None
        if country is not None and not is_country(country):
            raise Problem(f"{question.country!r} is no country such as MX", ExitCode.USAGE)
        return country
    try:
        return phone.canonical(question.to).country
    except GraphError as error:
        raise Problem(f"{question.to!r}: {error.details}", ExitCode.USAGE) from None


def _sentence(known: Directory, explanation: engine.Explanation) -> str:
    if explanation.decision.allowed:
        return "Allowed."
    return known.in_words(refusal_sentence(explanation, names={}))


def _check(known: Directory, account: engine.CheckAccount) -> dict[str, Any]:
    credential = account.credential
    return {
        "permission": account.check.permission,
        "allowed": account.allowed,
        "missing": account.missing,
        "matched": [_rule(known, rule) for rule in account.matched],
        "missed": [_rule(known, rule) for rule in account.missed],
        "key_fails": _failing(known, credential.failing) if credential is not None else [],
        "guardrails": [
            {"id": g.id, "name": g.name, "kind": str(g.kind)} for g in account.guardrails
        ],
    }


def _rule(known: Directory, rule: engine.RuleAccount) -> dict[str, Any]:
    return {
        "binding": rule.id,
        "role": known.name(rule.role) if rule.role is not None else None,
        "failing": _failing(known, rule.failing),
    }


def _failing(known: Directory, failing: Sequence[engine.Failing]) -> list[dict[str, Any]]:
    return [
        {
            "dimension": one.dimension,
            "wanted": _plain(known, one.dimension, one.wanted),
            "actual": _plain(known, one.dimension, one.actual),
        }
        for one in failing
    ]


def _met(known: Directory, one: engine.Failing) -> str:
    """What a question left open, as it would have to be."""
    wanted = _plain(known, one.dimension, one.wanted)
    if isinstance(wanted, list):
        return f"the {one.dimension.replace('_', ' ')} is {' or '.join(wanted)}"
    return f"it is within the reach “{wanted}”"


def _plain(known: Directory, dimension: str, value: object) -> object:
    """A value as JSON and people know it: names, clock times and dates."""
    match value:
        case engine.Reach():
            return value.name.lower()
        case engine.Hours(days, start, end):
            named = ",".join(_DAYS[day] for day in sorted(days))
            return f"{named} {_clock(start)}-{_clock(end)}"
        case (int() as weekday, int() as minute) if dimension == "hours":
            return f"{_DAYS[weekday]} {_clock(minute)}"
        case float() if dimension in ("since", "until"):
            return datetime.fromtimestamp(value, known.state.zone).isoformat(timespec="seconds")
        case str():
            return known.in_words(value)
        case Iterable():
            return sorted(str(_plain(known, dimension, one)) for one in value)
        case _:
            return value


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
