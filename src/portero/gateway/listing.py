"""Lists of numbers and templates show exactly what a caller may read one by one.

Meta lists a whole account. A caller whose bindings cover two numbers of it asks for the same list
and is given those two: each row is decided as if it had been asked for on its own.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from portero import engine
from portero.gateway.resources import Target
from portero.gateway.workspaces import WorkspaceState
from portero.graphapi.kinds import Kind
from portero.graphapi.operation import Call

Row = Mapping[str, Any]
_KINDS = {"list_numbers": Kind.NUMBER, "list_templates": Kind.TEMPLATE}
_COUNTS = ("total_count", "message_template_count")


class Listing:
    """How the rows of one list call are decided; None of its business for other calls."""

    def __init__(self, call: Call, target: Target) -> None:
        self.kind = _KINDS.get(call.operation.name)
        self._permissions = call.permissions
        self._target = target

    def checks(
        self, state: WorkspaceState, allows: Callable[[Iterable[engine.Check]], bool]
    ) -> tuple[engine.Check, ...]:
        """The checks for the whole account, or for one row that shows when that is refused.

        So a list that would be empty is refused with the reason, and one that shows something is
        admitted by the very decision its first row gets.
        """
        whole = self._target.checks(self._permissions)
        if self.kind is None or allows(whole):
            return whole
        rows = (self._checks(resource) for resource in self._candidates(state))
        return next((row for row in rows if allows(row)), whole)

    def narrows(self, allows: Callable[[Iterable[engine.Check]], bool]) -> bool:
        """Whether the caller sees a part of the account only."""
        return self.kind is not None and not allows(self._target.checks(self._permissions))

    @property
    def permission(self) -> str:
        return self._permissions[0]

    def shown(
        self,
        answer: Row,
        state: WorkspaceState,
        allows: Callable[[Iterable[engine.Check]], bool],
        total: int,
    ) -> dict[str, Any]:
        """The rows that may be seen, and counts of those alone: `total` over all pages."""
        rows = answer.get("data") or []
        seen = [r for r in rows if allows(self._checks(self._resource(r, state)))]
        counted = {
            name: total if name in _COUNTS else value
            for name, value in (answer.get("summary") or {}).items()
        }
        return {**answer, "data": seen, **({"summary": counted} if counted else {})}

    def _checks(self, resource: engine.Resource) -> tuple[engine.Check, ...]:
        return tuple(engine.Check(permission, resource) for permission in self._permissions)

    def _candidates(self, state: WorkspaceState) -> Iterable[engine.Resource]:
        if self.kind is Kind.NUMBER:
            for number, waba in state.numbers.items():
                if waba == self._target.waba:
                    yield self._number(number)
            return
        for name in state.template_sets:
            yield self._template("", name, state)

    def _resource(self, row: Row, state: WorkspaceState) -> engine.Resource:
        if self.kind is Kind.NUMBER:
            return self._number(str(row.get("id")))
        return self._template(str(row.get("id")), str(row.get("name")), state)

    def _number(self, number: str) -> engine.Resource:
        return engine.Resource(kind=Kind.NUMBER, id=number, number=number, waba=self._target.waba)

    def _template(self, meta_id: str, name: str, state: WorkspaceState) -> engine.Resource:
        return engine.Resource(
            kind=Kind.TEMPLATE,
            id=meta_id,
            waba=self._target.waba,
            template_sets=state.template_sets.get(name, frozenset()),
        )
