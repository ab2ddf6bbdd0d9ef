"""What Graph takes on every path to make a request do more than it says is refused everywhere."""

from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from graphapi.client_requests import KINDS, NUMBER, TEMPLATE, WABA
from portero.graphapi.errors import GraphError
from portero.graphapi.inputs import GRAPH_WIDE_PARAMETERS
from portero.graphapi.operation import Operation, RiskClass
from portero.graphapi.operations import OPERATIONS
from portero.graphapi.parse import RawCall, parse

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
BATCH = '[{"method":"GET","relative_url":"me"}]'


def refused(
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    content_type: str | None = None,
    body: bytes | None = None,
    fields: Mapping[str, str] | None = None,
) -> GraphError:
    raw = RawCall(method, path.encode(), urlencode(query or {}).encode(), content_type, body)
    with pytest.raises(GraphError) as error:
        parse(raw, KINDS, fields=fields)
    return error.value


@pytest.mark.parametrize("path", ["/", "/v23.0/", "/v23.0", "/me", "/v23.0/me/"])
@pytest.mark.parametrize(
    "request_parts",
    [
        {"query": {"batch": BATCH}},
        {"content_type": FORM, "body": urlencode({"batch": BATCH}).encode()},
        {"content_type": JSON, "body": b'{"batch":[{"method":"GET","relative_url":"me"}]}'},
        {"fields": {"batch": BATCH}},
    ],
    ids=["query", "form", "json", "multipart"],
)
def test_g04_a_batch_is_never_offered_however_it_is_encoded(
    path: str, request_parts: dict[str, object]
) -> None:
    error = refused("POST", path, **request_parts)  # type: ignore[arg-type]  # parts of one signature

    assert error.reason == "never_offered"


@pytest.mark.parametrize("name", ["method", "_method"])
@pytest.mark.parametrize("place", ["query", "form", "json"])
def test_g05_the_method_cannot_be_another_than_the_one_that_was_sent(name: str, place: str) -> None:
    path = f"/{TEMPLATE}"
    if place == "query":
        error = refused("POST", path, {name: "delete"})
    elif place == "form":
        error = refused("POST", path, None, FORM, f"{name}=delete".encode())
    else:
        error = refused("POST", path, None, JSON, f'{{"{name}":"delete"}}'.encode())

    assert error.reason == "malformed"


@pytest.mark.parametrize("query", [{"ids": f"{NUMBER},{WABA}"}, {"id": NUMBER}])
@pytest.mark.parametrize("path", ["/", f"/{NUMBER}", f"/{WABA}/phone_numbers", "/v23.0"])
def test_g06_several_objects_cannot_be_read_at_once(path: str, query: dict[str, str]) -> None:
    assert refused("GET", path, query).reason in ("malformed", "never_offered")


@pytest.mark.parametrize("name", sorted(GRAPH_WIDE_PARAMETERS))
def test_g33_a_parameter_of_all_of_graph_is_refused_on_every_route(name: str) -> None:
    for path in (f"/{NUMBER}", f"/{WABA}", f"/{WABA}/message_templates", f"/{NUMBER}/block_users"):
        assert refused("GET", path, {name: "1"}).reason == "malformed"
    assert refused("POST", f"/{NUMBER}/messages", {name: "1"}).reason == "malformed"


def test_g33_no_operation_that_is_offered_takes_such_a_parameter() -> None:
    for operation in OPERATIONS:
        taken = {*operation.params.members, *(operation.body.members if operation.body else ())}
        assert not taken & GRAPH_WIDE_PARAMETERS, operation.name


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/me"),
        ("GET", "/me/"),
        ("GET", "/me/accounts"),
        ("GET", "/me/permissions"),
        ("GET", "/me/message_templates"),
        ("POST", "/me"),
        ("POST", "/me/messages"),
        ("GET", "/v23.0/me"),
        ("GET", "/debug_token"),
        ("GET", "/oauth/access_token"),
        ("POST", "/oauth/access_token"),
        ("GET", "/v23.0/oauth/access_token"),
    ],
)
def test_g33_who_calls_meta_is_never_shown(method: str, path: str) -> None:
    assert refused(method, path).reason == "never_offered"


NEVER = [o for o in OPERATIONS if o.risk is RiskClass.NEVER and not o.claims]


@pytest.mark.parametrize("operation", NEVER, ids=lambda o: o.name)
def test_g09_what_returns_a_credential_is_refused_whatever_the_registry_knows(
    operation: Operation,
) -> None:
    path = operation.template
    kinds = {}
    for number, (_, kind) in enumerate(operation.slots):
        identifier = str(777000 + number)
        kinds[identifier] = kind
        path = path.replace(f"{{{kind.value}}}", identifier)

    with pytest.raises(GraphError) as error:
        parse(RawCall(operation.method, path.encode(), b"", None, None), kinds)

    assert error.value.reason == "never_offered"


def test_an_edge_that_nobody_knows_is_never_offered() -> None:
    assert refused("GET", f"/{NUMBER}/secrets").reason == "never_offered"
    assert refused("GET", f"/{WABA}/message_templates/{TEMPLATE}").reason == "never_offered"
    assert refused("GET", "/a/b/c/d/e").reason == "never_offered"
