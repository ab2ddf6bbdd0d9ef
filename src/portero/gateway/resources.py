"""From the ids of a call to the resources the engine decides on.

Every id is looked up in the workspace's own registry, whatever its place in the request. The kind
of a thing, the number and the account it belongs to come from there, never from the caller.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg

from portero import engine
from portero.engine.values import valueclass
from portero.gateway.workspaces import WorkspaceState
from portero.graphapi.kinds import CHECKED_BY_PARENT, IdRef, Kind, Recipient, TemplateRef
from portero.graphapi.operation import Call
from portero.graphapi.operations import category_permissions
from portero.graphapi.refusals import id_unknown
from portero.store import registry, seen
from portero.store.listed import in_workspace
from portero.store.recorder import Recorder
from portero.store.registry import Resource

# Media and messages live on one number; elsewhere in the workspace they are somebody else's (G21).
BOUND_TO_NUMBER = frozenset({Kind.MEDIA, Kind.MESSAGE})
_SAYS_NUMBER = BOUND_TO_NUMBER | {Kind.NUMBER}
# Things of exactly one account. A catalog may be connected to several.
_SAYS_ACCOUNT = frozenset({Kind.WABA, Kind.TEMPLATE, Kind.TEMPLATE_GROUP, Kind.FLOW})
# What may hang on a portfolio or an app, and then is of no account.
_ABOVE_ACCOUNTS = frozenset({Kind.USER, Kind.PREVERIFIED_NUMBER, Kind.SOLUTION})


class Registry:
    """The id registry as calls use it."""

    def __init__(self, *, pool: asyncpg.Pool, recorder: Recorder) -> None:
        self._pool = pool
        self._recorder = recorder

    async def look_up(self, state: WorkspaceState, ids: Iterable[str]) -> Mapping[str, Resource]:
        """What the workspace knows of each id; what it does not know is absent."""
        wanted = set(ids)
        found = {value: state.own[value] for value in wanted if value in state.own}
        if len(found) == len(wanted):
            return found
        found |= await self._in_database(state.id, sorted(wanted - found.keys()))
        still_missing = sorted(wanted - found.keys())
        if still_missing:
            # An id this process has just learned may be in a commit under way.
            await self._recorder.settled(state.id)
            found |= await self._in_database(state.id, still_missing)
        return found

    async def templates(
        self, state: WorkspaceState, waba: str, ref: TemplateRef
    ) -> Sequence[Resource]:
        async with in_workspace(self._pool, state.id) as connection:
            return await registry.find_template(connection, state.id, waba, ref.name, ref.language)

    async def count_seen(
        self, state: WorkspaceState, *, kind: str, waba: str, visible: engine.Visible
    ) -> int:
        async with in_workspace(self._pool, state.id) as connection:
            return await seen.count_seen(
                connection, state.id, kind=kind, waba=waba, visible=visible
            )

    async def _in_database(self, workspace: UUID, ids: Sequence[str]) -> dict[str, Resource]:
        async with in_workspace(self._pool, workspace) as connection:
            found = await registry.find(connection, workspace, ids)
        # Meta's ids are of one thing each. One that we know as two is neither, until that is mended.
        times = Counter(one.meta_id for one in found)
        return {
            one.meta_id: replace(one, number=one.meta_id) if one.kind == Kind.NUMBER else one
            for one in found
            if times[one.meta_id] == 1
        }


@valueclass(frozen=True, slots=True)
class Target:
    """What a call is about, as far as scopes look at it.

    `other_wabas`: accounts that it takes something out of besides, by an id in query or body.
    """

    kind: str
    id: str
    waba: str | None
    other_wabas: tuple[str, ...]
    number: str | None
    template_sets: frozenset[str] | None
    category_permissions: tuple[str, ...]
    recipients: tuple[Recipient, ...]
    contents: str | None

    def checks(self, permissions: Iterable[str]) -> tuple[engine.Check, ...]:
        """One check per permission and account and, where people are reached, per country."""
        countries = sorted({r.country for r in self.recipients}, key=str) or [None]
        resources = [self._resource(self.waba, country) for country in countries]
        resources += [self._resource(waba, None) for waba in self.other_wabas]
        return tuple(
            [
                engine.Check(permission, resource)
                for permission in dict.fromkeys((*permissions, *self.category_permissions))
                for resource in resources
            ]
        )

    def _resource(self, waba: str | None, country: str | None) -> engine.Resource:
        return engine.Resource(
            kind=self.kind,
            id=self.id,
            waba=waba,
            number=self.number if waba == self.waba else None,
            country=country,
            template_sets=self.template_sets,
            contents=self.contents,
        )


def known_ids(call: Call, known: Mapping[str, Resource], method: str) -> None:
    """Every id of the call is the workspace's, of its kind, on its number. Raises GraphError."""
    number = _number_of(call, known)
    for ref in call.ids:
        if ref.kind in CHECKED_BY_PARENT:
            continue
        resource = known.get(ref.value)
        if resource is None or resource.kind != ref.kind or _elsewhere(ref, resource, number):
            raise id_unknown(ref.value, method=method)


def _elsewhere(ref: IdRef, resource: Resource, number: str | None) -> bool:
    return ref.kind in _SAYS_NUMBER and number is not None and resource.number != number


def target_of(
    call: Call, known: Mapping[str, Resource], templates: Sequence[Resource], state: WorkspaceState
) -> Target:
    """What the call is about. `templates` are the registered languages of its template, if any."""
    first = call.path_ids[0] if call.path_ids else None
    resource = known.get(first.value) if first is not None else None
    number = _number_of(call, known)
    waba = _waba_of(resource, number, state)
    named, accounts = list(templates), set[str | None]()
    for ref in call.ids:
        one = known.get(ref.value)
        if one is not None and ref.kind in _SAYS_ACCOUNT:
            accounts.add(one.meta_id if one.kind == Kind.WABA else one.parent)
            if ref.kind is Kind.TEMPLATE:
                named.append(one)
    names = {r.attributes["name"] for r in named if "name" in r.attributes}
    if call.template is not None and call.template.name:
        names.add(call.template.name)
    sending = call.messages > 0 and call.template is not None
    return Target(
        kind=first.kind if first is not None else "workspace",
        id=first.value if first is not None else "",
        waba=waba,
        other_wabas=tuple(sorted(one for one in accounts if one not in (None, waba))),
        number=number,
        template_sets=_sets_of(names, state) if names else None,
        category_permissions=category_permissions(map(_category, templates)) if sending else (),
        recipients=call.recipients,
        contents=call.contents,
    )


def has_category(template: Resource) -> bool:
    """Whether the registry knows it; webhooks and narrow lists may tell of a template without."""
    return bool(_category(template))


def _category(template: Resource) -> str:
    return template.attributes.get("category", "")


def _sets_of(names: Iterable[str], state: WorkspaceState) -> frozenset[str]:
    """The sets that hold every one of the names: what touches two templates needs both."""
    sets = [state.template_sets.get(name, frozenset()) for name in names]
    return frozenset.intersection(*sets)


def _number_of(call: Call, known: Mapping[str, Resource]) -> str | None:
    for ref in call.path_ids:
        resource = known.get(ref.value)
        if resource is not None and resource.number is not None:
            return resource.number
    return None


def _waba_of(resource: Resource | None, number: str | None, state: WorkspaceState) -> str | None:
    if number is not None and number in state.numbers:
        return state.numbers[number]
    if resource is None:
        return None
    if resource.kind in _ABOVE_ACCOUNTS and resource.parent not in state.tokens:
        return None
    return resource.meta_id if resource.kind == Kind.WABA else resource.parent
