"""G07: `fields=` is a grammar; each edge in it is judged as if called on its own path."""

from collections.abc import Iterable
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphapi.client_requests import KINDS, NUMBER, TEMPLATE, WABA
from portero.graphapi.errors import GraphError
from portero.graphapi.fields import parse_fields, write_fields
from portero.graphapi.kinds import Kind
from portero.graphapi.nodes import NODES
from portero.graphapi.operation import Call, Field
from portero.graphapi.operations import BY_NAME, OPERATIONS
from portero.graphapi.parse import RawCall, parse
from portero.graphapi.shapes import Found
from portero.graphapi.upstream import rebuild

COST = "report:read_cost"


def get(path: str, **query: str) -> Call:
    return parse(RawCall("GET", path.encode(), urlencode(query).encode(), None, None), KINDS)


def refusal(fields: str, path: str = f"/{WABA}") -> GraphError:
    with pytest.raises(GraphError) as refused:
        get(path, fields=fields)
    return refused.value


# --- differential: an expanded edge needs what the same edge needs on its own path


def edges() -> Iterable[tuple[str, str, str]]:
    for reader in OPERATIONS:
        if (
            reader.node
            and not reader.listed
            and reader.method == "GET"
            and len(reader.segments) == 1
        ):
            yield from ((reader.name, reader.node, edge) for edge in NODES[reader.node].edges)


@pytest.mark.parametrize(("reader", "node", "edge"), tuple(edges()))
def test_g07_an_expanded_edge_needs_what_its_own_path_needs(
    reader: str, node: str, edge: str
) -> None:
    ((_, kind),) = BY_NAME[reader].slots
    kinds = {"4242": kind}

    expanded = parse(RawCall("GET", b"/4242", f"fields={edge}".encode(), None, None), kinds)
    alone = parse(RawCall("GET", f"/4242/{edge}".encode(), b"", None, None), kinds)

    assert set(expanded.permissions) == {*BY_NAME[reader].permissions, *alone.permissions}


@pytest.mark.parametrize(
    ("edge", "modifiers"),
    [
        ("template_analytics", {"metric_types": "sent,read"}),
        ("template_analytics", {"metric_types": "[sent,cost]"}),
        ("template_analytics", {"metric_types": '["COST"]'}),
        ("call_analytics", {"metric_types": "['COUNT']", "start": "1", "end": "2"}),
        ("call_analytics", {"metric_types": "[COUNT,COST]"}),
        ("call_analytics", {}),
        ("pricing_analytics", {"metric_types": "[VOLUME]", "phone_numbers": "[]"}),
        ("conversation_analytics", {"granularity": "DAILY"}),
        ("phone_numbers", {"limit": "2", "after": "QVFI"}),
        ("message_templates", {"limit": "5", "status": "APPROVED", "language": '["es","en_US"]'}),
    ],
)
def test_g07_modifiers_mean_what_the_parameters_of_the_edge_mean(
    edge: str, modifiers: dict[str, str]
) -> None:
    written = edge + "".join(f".{name}({value})" for name, value in modifiers.items())

    expanded = get(f"/{WABA}", fields=written)
    alone = get(f"/{WABA}/{edge}", **modifiers)

    assert set(expanded.permissions) == {"waba:read", *alone.permissions}
    (item,) = expanded.fields or ()
    assert {m.name: m.value for m in item.modifiers} == dict(alone.params)


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ("id,name", set()),
        ("phone_numbers{id,verified_name}", {"number:read"}),
        ("phone_numbers{conversational_automation}", {"number:read", "automation:read"}),
        ("phone_numbers{whatsapp_business_profile{about}}", {"number:read", "number:read_profile"}),
        ("message_templates.limit(5){id,name},flows", {"template:read", "flow:read"}),
        ("flows{assets{download_url}}", {"flow:read"}),
        ("assigned_users", {"waba:read_meta_users"}),
        ("subscribed_apps", {"webhook:read_subscription"}),
        ("analytics.start(1).end(2).granularity(DAY).phone_numbers([])", {"report:read_delivery"}),
        ("pricing_analytics", {COST}),
        ("conversation_analytics.metric_types([CONVERSATION])", {COST}),
        ("call_analytics.metric_types([COUNT])", {"report:read_delivery"}),
        ("call_analytics.metric_types([COUNT,COST])", {"report:read_delivery", COST}),
        ("call_analytics.metric_types([])", {"report:read_delivery", COST}),
        ("call_analytics.metric_types()", {"report:read_delivery", COST}),
        ("template_analytics.metric_types(sent,cost)", {"template:read_analytics", COST}),
        ("activities", {"waba:read_activity"}),
    ],
)
def test_g07_each_field_and_edge_adds_its_permission(fields: str, needed: set[str]) -> None:
    assert set(get(f"/{WABA}", fields=fields).permissions) == {"waba:read", *needed}


@pytest.mark.parametrize(
    "fields",
    [
        "access_token",
        "name,access_token",
        "phone_numbers{access_token}",
        "phone_numbers{owner_business_info}",
        "owner_business_info{access_token}",
        "name.limit(1)",
        "name{id}",
        "id.as(name)",
        "phone_numbers.as(x)",
        "phone_numbers.order(asc)",
        "phone_numbers.fields(id)",
        "phone_numbers.limit(5).limit(6)",
        "phone_numbers.limit(99999)",
        "phone_numbers.limit(-1)",
        "phone_numbers.limit()",
        "phone_numbers.limit(5",
        "phone_numbers{id",
        "phone_numbers{id}}",
        "phone_numbers{}",
        "phone_numbers{id},phone_numbers{name}",
        "pricing_analytics.metric_types([COST)",
        "pricing_analytics.metric_types([[COST]])",
        "pricing_analytics.metric_types(COST)(VOLUME)",
        'pricing_analytics.tiers(["0:1\\u0029.limit(5"])',
        'pricing_analytics.tiers(["\\u007bid\\u007d"])',
        "name,,id",
        ",name",
        "name,",
        "name;id",
        "name id",
        "name\x00",
        "na\u0301me",
        "*",
        "{id}",
        "phone_numbers{phone_numbers}",
        "system_users",
        "extendedcredits",
        "me",
        "__type__",
        "metadata{fields}",
    ],
)
def test_g07_what_is_not_listed_or_not_the_grammar_is_refused(fields: str) -> None:
    assert refusal(fields).reason == "malformed"


def test_g07_sip_passwords_cannot_be_selected() -> None:
    for inner in ("sip{servers{sip_user_password}}", "sip{servers{password}}"):
        assert refusal(f"calling{{{inner}}}", f"/{NUMBER}/settings").reason == "malformed"


def test_g07_depth_and_size_are_bounded() -> None:
    deep = "phone_numbers{message_history{events{node{application{id}}}}}"

    assert refusal(deep).details == "malformed: fields is nested deeper than 4 levels."
    assert refusal(",".join(["name"] * 500)).reason == "malformed"
    assert refusal("a" * 5000).reason == "malformed"


def test_a_field_named_twice_alike_is_one_field() -> None:
    assert get(f"/{WABA}", fields="id,name,id").fields == (Field("id"), Field("name"))


def test_an_empty_selection_is_no_selection() -> None:
    assert get(f"/{WABA}", fields="").fields is None


def test_the_ids_inside_modifiers_are_ids_of_the_call() -> None:
    call = get(f"/{WABA}", fields=f"template_analytics.template_ids([{TEMPLATE},3002])")

    assert [(ref.kind, ref.value) for ref in call.ids[1:]] == [
        (Kind.TEMPLATE, TEMPLATE),
        (Kind.TEMPLATE, "3002"),
    ]


def test_a_selection_leaves_as_we_write_it() -> None:
    written = "name, phone_numbers . x"
    assert refusal(written).reason == "malformed"

    call = get(
        f"/{WABA}",
        fields="name,phone_numbers.limit(2){id, throughput{level}},"
        "pricing_analytics.metric_types([COST,'VOLUME']).country_codes([\"US\"])",
    )

    assert rebuild(call, version="v23.0").query == "fields=" + quote(
        "name,phone_numbers.limit(2){id,throughput{level}},"
        'pricing_analytics.metric_types(["COST","VOLUME"]).country_codes(["US"])',
        safe="",
    )


# --- fuzz: whatever is accepted is written back as something that means the same

WORDS = st.sampled_from(
    [
        "id",
        "name",
        "phone_numbers",
        "message_templates",
        "pricing_analytics",
        "owner_business_info",
        "health_status",
        "flows",
        "assets",
        "access_token",
        ".limit(5)",
        ".after(QVFI)",
        ".metric_types([COST])",
        ".metric_types",
        "(",
        ")",
        "{",
        "}",
        ",",
        " ",
        "[",
        "]",
        '"',
        "'",
        "\\",
        ".",
    ]
)


@given(st.lists(WORDS, max_size=24).map("".join))
def test_g07_fuzz_what_is_accepted_is_read_back_alike(text: str) -> None:
    found = Found()
    try:
        tree = parse_fields(text, "waba", found)
    except GraphError:
        return

    written = write_fields(tree)

    assert parse_fields(written, "waba", Found()) == tree
    assert "access_token" not in written


@given(st.text(max_size=60))
def test_g07_fuzz_any_text_is_a_selection_or_a_refusal(text: str) -> None:
    try:
        tree = parse_fields(text, "number", Found())
    except GraphError:
        return

    assert {item.name for item in tree} <= {*NODES["number"].fields, *NODES["number"].edges}
