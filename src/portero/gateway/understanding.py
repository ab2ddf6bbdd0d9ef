"""From a raw request to a call whose every id is known to be the workspace's."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from portero import engine
from portero.engine.values import valueclass
from portero.gateway.resources import Registry, Target, has_category, known_ids, target_of
from portero.gateway.workspaces import WorkspaceState
from portero.graphapi.errors import meta_error
from portero.graphapi.kinds import Kind, TemplateRef
from portero.graphapi.operation import Call, UploadedFile
from portero.graphapi.parse import RawCall, ids_in_path, parse
from portero.store.registry import Resource


class TemplateResolver(Protocol):
    """Asks Meta about a template the registry does not know, with the workspace's own token."""

    async def __call__(
        self, state: WorkspaceState, waba: str, ref: TemplateRef
    ) -> Sequence[Resource]: ...


# Whether the caller may, as far as is known before a template's category is.
May = Callable[[Iterable[engine.Check]], bool]


@valueclass(frozen=True, slots=True)
class Understood:
    """A call, what it is about, and what the registry knows of its ids."""

    call: Call
    target: Target
    known: Mapping[str, Resource]


class Understanding:
    """Parses, and looks every id up."""

    def __init__(self, *, registry: Registry, resolve_template: TemplateResolver) -> None:
        self._registry = registry
        self._resolve_template = resolve_template

    async def understand(
        self,
        raw: RawCall,
        state: WorkspaceState,
        may: May,
        *,
        fields: Mapping[str, str] | None = None,
        file: UploadedFile | None = None,
    ) -> Understood:
        """Raises GraphError for what cannot be read in one way or is not the workspace's."""
        known = dict(await self._registry.look_up(state, ids_in_path(raw)))
        kinds = {value: Kind(resource.kind) for value, resource in known.items()}
        call = parse(raw, kinds, fields=fields, file=file)
        others = {ref.value for ref in call.ids} - known.keys()
        if others:
            known |= await self._registry.look_up(state, others)
        known_ids(call, known, raw.method)
        target = target_of(call, known, (), state)
        if call.template is not None:
            templates = await self._templates(call, target, state, may)
            target = target_of(call, known, templates, state)
        return Understood(call, target, known)

    async def _templates(
        self, call: Call, target: Target, state: WorkspaceState, may: May
    ) -> Sequence[Resource]:
        ref, waba = call.template, target.waba
        if ref is None or not ref.name or waba is None:
            return ()
        found = await self._registry.templates(state, waba, ref)
        is_complete = bool(found) and all(map(has_category, found))
        any_category = replace(target, category_permissions=())
        if is_complete or not call.messages or not may(any_category.checks(call.permissions)):
            return found
        # Its category has a say in what may be sent, so a template nobody knows is not sent.
        found = await self._resolve_template(state, waba, ref)
        if not found:
            details = f"template name ({ref.name}) does not exist in {ref.language}"
            error = meta_error(132001, details=details)
            error.reason = "id_unknown"
            raise error
        return found
