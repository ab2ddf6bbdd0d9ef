"""A bare id means what the registry says it is, never what the caller hopes it is (G35)."""

from urllib.parse import urlencode

import pytest

from portero.graphapi.errors import GraphError
from portero.graphapi.kinds import Kind
from portero.graphapi.operation import Operation, RiskClass
from portero.graphapi.operations import OPERATIONS
from portero.graphapi.parse import RawCall, parse

IDS = {
    Kind.GROUP: "Y2FwaV9ncm91cDox",
    Kind.UPLOAD: "upload:MTphdHRhY2htZW50",
}
BARE_KINDS = sorted(
    {
        kind
        for operation in OPERATIONS
        for _, kind in operation.slots
        if len(operation.segments) == 1
    }
)


def id_of(kind: Kind) -> str:
    return IDS.get(kind, "4242")


def bare(method: str, identifier: str, kind: Kind) -> str:
    """The operations that a method on a bare id is, told by its refusal or its name."""
    raw = RawCall(method, f"/{identifier}".encode(), b"", None, None)
    try:
        return parse(raw, {identifier: kind}).operation.name
    except GraphError as error:
        return str(error.reason)


@pytest.mark.parametrize("kind", BARE_KINDS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_g35_a_bare_id_is_only_ever_an_operation_of_its_own_kind(method: str, kind: Kind) -> None:
    offered = [o for o in OPERATIONS if (o.method, o.template) == (method, f"/{{{kind.value}}}")]

    meant = bare(method, id_of(kind), kind)

    if not offered:
        assert meant == "id_unknown"
    else:
        assert meant in {"malformed", "never_offered", *(operation.name for operation in offered)}


OFFERED = [o for o in OPERATIONS if o.slots and o.risk is not RiskClass.NEVER]


@pytest.mark.parametrize("operation", OFFERED, ids=lambda o: o.name)
def test_g35_an_operation_takes_no_id_of_another_kind(operation: Operation) -> None:
    position, own = operation.slots[0]
    siblings = {
        o.slots[0][1]
        for o in OPERATIONS
        if o.method == operation.method
        and len(o.segments) == len(operation.segments)
        and o.slots
        and o.segments[position + 1 :] == operation.segments[position + 1 :]
    }
    identifier = id_of(own)
    path = "/".join(
        identifier if i == position else ("4O4YGZEG3RIVE1" if s.startswith("{") else s)
        for i, s in enumerate(operation.segments)
    )
    for other in set(Kind) - siblings:
        raw = RawCall(operation.method, f"/{path}".encode(), b"", None, None)
        with pytest.raises(GraphError) as refused:
            parse(raw, {identifier: other})
        assert (refused.value.code, refused.value.subcode) == (100, 33)
        assert identifier in refused.value.message


def test_g35_an_id_the_registry_does_not_know_is_metas_unknown_object() -> None:
    with pytest.raises(GraphError) as refused:
        parse(RawCall("DELETE", b"/4242", b"", None, None), {})

    assert refused.value.reason == "id_unknown"
    assert refused.value.type == "GraphMethodException"
    assert refused.value.message.startswith("Unsupported delete request. Object with ID '4242'")


def test_g35_an_id_must_also_be_spelled_as_its_kind_is() -> None:
    spelled_as_a_number = {"4242": Kind.GROUP}
    spelled_as_a_group = {"Y2FwaV9ncm91cDox": Kind.NUMBER}

    for kinds in (spelled_as_a_number, spelled_as_a_group):
        (identifier,) = kinds
        with pytest.raises(GraphError) as refused:
            parse(RawCall("GET", f"/{identifier}".encode(), b"", None, None), kinds)
        assert refused.value.reason == "id_unknown"


@pytest.mark.parametrize(
    "value",
    [
        "abc",
        "12 3",
        "-1",
        "+1",
        "1e3",
        "0x1f",
        "\uff11\uff12",
        "\u0663",
        "1" * 21,
        "",
        "1.5",
        "../1",
    ],
)
def test_an_id_in_a_parameter_is_ascii_digits_and_nothing_else(value: str) -> None:
    query = urlencode({"phone_number_id": value}).encode()

    with pytest.raises(GraphError) as refused:
        parse(RawCall("GET", b"/4242", query, None, None), {"4242": Kind.MEDIA})

    assert refused.value.reason == "malformed"
