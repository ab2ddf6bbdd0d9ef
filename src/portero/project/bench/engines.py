"""The other engines that run inside a Python process, each given the workload in its own words.

Each gets whatever it can use prepared: policies parsed and sliced, requests written. Only what comes
with a question, the attributes of its resource, is for the engine itself to read.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from portero.project.bench.measuring import NotMeasured
from portero.project.bench.workload import Among, Conversation, Grant, Workload

Decide = Callable[[int], bool]
"""Answers the question of this number."""

Held = bool | tuple[frozenset[str], bool, bool]
"""True = everywhere; else on which numbers, whether on what is mine, whether on my teams'."""


def bare_tables(workload: Workload) -> dict[str, dict[str, Held]]:
    """By user and permission what all roles give together: the least that can be looked up."""
    tables: dict[str, dict[str, Held]] = {}
    for name, user in workload.users.items():
        table = tables[name] = {}
        for grant in (grant for role in user.roles for grant in workload.roles[role]):
            table[grant.permission] = _either(table.get(grant.permission, False), _held(grant))
    return tables


def _held(grant: Grant) -> Held:
    if grant.among is Among.ALL:
        return True
    return frozenset(grant.numbers), not grant.numbers, grant.among is Among.TEAMS


def _either(one: Held, other: Held) -> Held:
    if isinstance(one, bool) or isinstance(other, bool):
        return one or other
    return one[0] | other[0], one[1] or other[1], one[2] or other[2]


def cedar_sliced(workload: Workload, *, entities_parsed: bool = False) -> Decide:
    """Cedar at its best: only the policies of the asker's own roles, parsed in advance.

    With `entities_parsed` even the resource's attributes are, which a door could do for no resource
    that it has not seen: a bound, not a way to work.
    """
    cedarpy = _cedarpy()
    slices: dict[tuple[str, ...], Any] = {}
    for user in workload.users.values():
        if user.roles not in slices:
            slices[user.roles] = cedarpy.PolicySet.from_str(_cedar_text(workload, user.roles))
    policies = [slices[workload.users[asked.user].roles] for asked in workload.asked]
    requests = _cedar_requests(workload)
    entities: list[Any] = [json.dumps(each) for each in _cedar_entities(workload)]
    if entities_parsed:
        entities = [cedarpy.Entities.from_json_str(text) for text in entities]
    is_authorized = cedarpy.is_authorized

    def decide(number: int) -> bool:
        answer = is_authorized(requests[number], policies[number], entities[number])
        return bool(answer.allowed)

    return decide


def cedar_plain(workload: Workload) -> Decide:
    """Cedar as its documentation shows it: one set of policies, parsed in advance, and entities."""
    cedarpy = _cedarpy()
    policies = cedarpy.PolicySet.from_str(_cedar_text(workload, workload.roles))
    requests, entities = _cedar_requests(workload), _cedar_entities(workload)

    def decide(number: int) -> bool:
        answer = cedarpy.is_authorized(requests[number], policies, entities[number])
        return bool(answer.allowed)

    return decide


def _cedarpy() -> Any:
    try:
        import cedarpy
    except ImportError:
        raise NotMeasured("cedarpy is not installed") from None
    return cedarpy


def _cedar_text(workload: Workload, roles: Iterable[str]) -> str:
    return "\n".join(
        f'permit (principal in Role::"{role}", action == Action::"{grant.permission}", resource)'
        f"{_cedar_condition(grant)};"
        for role in roles
        for grant in workload.roles[role]
    )


def _cedar_condition(grant: Grant) -> str:
    mine = "resource.assignee == principal"
    match grant.among:
        case Among.ALL:
            return ""
        case Among.NUMBERS:
            return f" when {{ {json.dumps(grant.numbers)}.contains(resource.number) }}"
        case Among.MINE:
            return f" when {{ {mine} }}"
        case Among.TEAMS:
            return f" when {{ {mine} || principal.teams.contains(resource.team) }}"


def _cedar_requests(workload: Workload) -> list[dict[str, Any]]:
    conversation = _entity("Conversation", "c")
    return [
        {
            "principal": _entity("User", asked.user),
            "action": _entity("Action", asked.permission),
            "resource": conversation,
        }
        for asked in workload.asked
    ]


def _cedar_entities(workload: Workload) -> list[list[dict[str, Any]]]:
    """For each question who asks and what it is about: it need know no others."""
    users = {
        name: {
            "uid": _entity("User", name),
            "attrs": {"teams": list(user.teams)},
            "parents": [_entity("Role", role) for role in user.roles],
        }
        for name, user in workload.users.items()
    }
    return [[users[a.user], _cedar_conversation(a.conversation)] for a in workload.asked]


def _cedar_conversation(conversation: Conversation) -> dict[str, Any]:
    attributes = {
        "number": conversation.number,
        "team": conversation.team,
        "assignee": {"__entity": _entity("User", conversation.assignee)},
    }
    return {"uid": _entity("Conversation", "c"), "attrs": attributes, "parents": []}


def _entity(kind: str, id_: str) -> dict[str, str]:
    return {"type": kind, "id": id_}


_CASBIN_MODEL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, act, among, numbers
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && g(r.sub, p.sub) && within(r.sub, r.obj, p.among, p.numbers)
"""


def casbin(workload: Workload) -> Decide:
    """Pycasbin as its documentation shows it: roles, and a function of ours for what is scoped.

    The cheapest comparison stands first in the matcher, which spares it most of the others.
    """
    try:
        from casbin import Enforcer, Model
    except ImportError:
        raise NotMeasured("pycasbin is not installed") from None
    model = Model()
    model.load_model_from_text(_CASBIN_MODEL)
    enforcer = Enforcer(model)
    for name in ("casbin.enforcer", "casbin.role", "casbin.policy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for role, grants in workload.roles.items():
        for grant in grants:
            enforcer.add_policy(role, grant.permission, grant.among, " ".join(grant.numbers))
    for name, user in workload.users.items():
        for role in user.roles:
            enforcer.add_grouping_policy(name, role)

    def within(user: str, conversation: Conversation, among: str, numbers: str) -> bool:
        match among:
            case Among.ALL:
                return True
            case Among.NUMBERS:
                return conversation.number in numbers.split()
        if conversation.assignee == user:
            return True
        return among == Among.TEAMS and conversation.team in workload.users[user].teams

    enforcer.add_function("within", within)
    asked = [(a.user, a.conversation, a.permission) for a in workload.asked]

    def decide(number: int) -> bool:
        return bool(enforcer.enforce(*asked[number]))

    return decide
