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
        self._kind = _KINDS.get(call.operation.name)
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
        if self._kind is None or allows(whole):
            return whole
        rows = (self._checks(resource) for resource in self._candidates(state))
        return next((row for row in rows if allows(row)), whole)

    def shown(
        self,
        answer: dict[str, Any],
        state: WorkspaceState,
        allows: Callable[[Iterable[engine.Check]], bool],
    ) -> dict[str, Any]:
        """The answer with the rows that may be seen, and counts of those alone."""
        if self._kind is None or allows(self._target.checks(self._permissions)):
            return answer
        rows = answer.get("data") or []
        seen = [r for r in rows if allows(self._checks(self._resource(r, state)))]
        summary = answer.get("summary")
        if isinstance(summary, dict):
            # How many there are beyond the page is not known without looking; a lower bound that
            # tells nothing about hidden rows is the honest count.
            counted = {name: len(seen) for name in _COUNTS if name in summary}
            answer = {**answer, "summary": {**summary, **counted}}
        return {**answer, "data": seen}

    def _checks(self, resource: engine.Resource) -> tuple[engine.Check, ...]:
        return tuple(engine.Check(permission, resource) for permission in self._permissions)

    def _candidates(self, state: WorkspaceState) -> Iterable[engine.Resource]:
        if self._kind is Kind.NUMBER:
            for number, waba in state.numbers.items():
                if waba == self._target.waba:
                    yield self._number(number)
            return
        for name in state.template_sets:
            yield self._template("", name, state)

    def _resource(self, row: Row, state: WorkspaceState) -> engine.Resource:
        if self._kind is Kind.NUMBER:
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
