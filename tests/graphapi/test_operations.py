"""The table is whole: nothing of Meta's is missing, nothing is offered that nobody judged."""

import re
from collections.abc import Iterable
from itertools import combinations

import pytest

from high_risk import HIGH, HIGH_RISK, NEVER
from portero.engine import PERMISSIONS
from portero.graphapi.nodes import NODES
from portero.graphapi.operation import Operation, RiskClass
from portero.graphapi.operations import BY_NAME, OPERATIONS, TEMPLATE_CATEGORY_PERMISSIONS
from portero.graphapi.written import META, load

# Meta's file lists these two, but no caller calls them at Graph.
NOT_CALLED = {
    "GET /{media_url}": "media come through our own links",
    "POST /whatsapp/webhooks": "Meta calls us",
}
# Whole resources whose every permission must be enforced by an operation. `send` is proved with the
# message bodies; others are shared with the console, whose own tests cover them.
GRAPH_RESOURCES = {
    "app",
    "block_list",
    "business",
    "call",
    "catalog",
    "encryption",
    "flow",
    "group",
    "media",
    "number",
    "qr_code",
    "template",
    "waba",
}


def keys(operations: Iterable[Operation]) -> set[str]:
    return {f"{operation.method} {operation.template}" for operation in operations}


def enforced() -> set[str]:
    found = set(TEMPLATE_CATEGORY_PERMISSIONS.values())
    for operation in OPERATIONS:
        found |= {*operation.permissions, *operation.adds.values()}
    for node in NODES.values():
        found |= {one.permission for one in node.fields.values() if one.permission is not None}
    return found


def test_every_operation_of_metas_file_is_in_the_table() -> None:
    assert set(META) - set(NOT_CALLED) - keys(OPERATIONS) == set()


def test_metas_file_is_covered_path_by_path() -> None:
    paths = {path for entry in META.values() for path in entry["paths"]}

    assert len(META) == 111
    assert len(paths) == 78


def test_every_permission_of_the_table_exists() -> None:
    assert enforced() - set(PERMISSIONS) == set()


def test_every_permission_about_graph_is_enforced_by_an_operation() -> None:
    about_graph = {key for key in PERMISSIONS if key.partition(":")[0] in GRAPH_RESOURCES}

    assert about_graph - enforced() == set()


def test_every_operation_that_is_offered_needs_a_permission() -> None:
    from_the_body = {"send_message", "mark_message_read"}

    without = {o.name for o in OPERATIONS if not o.permissions and o.risk is not RiskClass.NEVER}

    assert without == from_the_body


def test_every_event_is_a_noun_and_a_verb_in_the_past() -> None:
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", operation.event) for operation in OPERATIONS)


def test_every_shape_written_by_hand_is_of_an_operation() -> None:
    assert set(load("operations.json")) - set(BY_NAME) == set()


def test_every_shared_shape_is_used() -> None:
    written = "".join(str(load(f"{name}.json")) for name in ("operations", "nodes", "shapes"))

    unused = [name for name in load("shapes.json") if f"'${name}'" not in written]

    assert unused == []


def test_every_node_is_reached_by_an_operation() -> None:
    assert {operation.node for operation in OPERATIONS} - {None} == set(NODES)


def test_no_edge_leads_to_more_than_reading() -> None:
    edges = {name for node in NODES.values() for name in node.edges.values()}

    assert {BY_NAME[name].risk for name in edges} == {RiskClass.READ}


def test_an_edge_is_read_by_the_operation_of_its_own_path() -> None:
    for name, node in NODES.items():
        for edge, operation in node.edges.items():
            assert BY_NAME[operation].template.endswith(f"/{edge}"), name


def test_reading_never_changes_and_changing_never_passes_for_reading() -> None:
    for operation in OPERATIONS:
        if operation.risk is RiskClass.READ:
            assert operation.method == "GET", operation.name
        if operation.method == "GET":
            assert operation.risk in (RiskClass.READ, RiskClass.NEVER, RiskClass.HIGH_RISK)


def test_two_operations_of_one_request_line_are_told_apart_by_their_claims() -> None:
    for one, other in combinations(OPERATIONS, 2):
        if (one.method, one.template) == (other.method, other.template):
            assert one.claims or other.claims, (one.name, other.name)
            assert not set(one.claims) & set(other.claims), (one.name, other.name)


def test_what_an_operation_does_not_claim_its_siblings_body_does_not_take() -> None:
    for operation in (o for o in OPERATIONS if o.risk is not RiskClass.NEVER):
        siblings = [
            o
            for o in OPERATIONS
            if o.method == operation.method and o.template == operation.template
        ]
        foreign = {
            claim
            for sibling in siblings
            if sibling is not operation
            for claim in sibling.claims
            if "=" not in claim and "." not in claim
        }
        own = {claim.partition(".")[0] for claim in operation.claims}
        offered = {*operation.params.members, *(operation.body.members if operation.body else ())}
        messages_share_their_body = operation.template.endswith("/messages")
        assert messages_share_their_body or not offered & (foreign - own), operation.name


@pytest.mark.parametrize(
    ("case", "name"), [(c, n) for c, names in HIGH_RISK.items() for n in names]
)
def test_g10_to_g13_what_redirects_takes_over_or_lets_in_is_high_risk(case: str, name: str) -> None:
    assert BY_NAME[name].risk is RiskClass.HIGH_RISK, case


def test_g09_g10_g11_g12_g13_the_grave_operations_are_those_that_are_listed_by_hand() -> None:
    def of(risk: RiskClass) -> set[str]:
        return {operation.name for operation in OPERATIONS if operation.risk is risk}

    assert of(RiskClass.HIGH_RISK) == set(HIGH)
    assert of(RiskClass.NEVER) == set(NEVER)


def test_g09_no_answer_of_an_offered_operation_has_a_member_for_a_credential() -> None:
    secret = re.compile(r"access_token|password|secret|app_secret|appsecret|^token$")

    for operation in OPERATIONS:
        if operation.risk is not RiskClass.NEVER and operation.answer is not None:
            assert not [n for n in operation.answer.members if secret.search(n)], operation.name
    for name, node in NODES.items():
        assert not [field for field in node.fields if secret.search(field)], name
