"""Interactive messages: each kind's action, and the sizes of what the customer sees."""

from collections.abc import Callable
from typing import Any

from portero.graphapi.errors import meta_error
from portero.sandbox.graph import checks
from portero.sandbox.graph.attachments import check_attachment
from portero.sandbox.objects import Flow, Json
from portero.sandbox.world import World

Action = Callable[[World, Json], None]

_THROTTLED_PER_HOUR = 10
_ACTION = "interactive['action']"
_HEADER_MEDIA = ("image", "video", "document")
_BODY_MAX, _LIST_BODY_MAX, _FOOTER_MAX, _HEADER_MAX = 1024, 4096, 60, 60
_BUTTONS_MAX, _ROWS_MAX, _SECTIONS_MAX, _PRODUCTS_MAX, _CARDS_MAX = 3, 10, 10, 30, 10


def check_interactive(world: World, interactive: Json) -> None:
    """The whole `interactive` object. Raises `GraphError`."""
    kind = checks.a_text(interactive, "type", "interactive", high=64)
    if kind not in _ACTIONS:
        raise checks.invalid(f"interactive['type'] {kind} is not supported")
    _check_header(world, kind, interactive.get("header"))
    _check_body(kind, interactive)
    footer = interactive.get("footer")
    if footer is not None:
        footer = checks.an_object(footer, "interactive['footer']")
        checks.a_text(footer, "text", "interactive['footer']", high=_FOOTER_MAX)
    _ACTIONS[kind](world, checks.an_object(interactive.get("action"), _ACTION))


def _check_header(world: World, kind: str, header: Any) -> None:
    name = "interactive['header']"
    if header is None:
        if kind == "product_list":
            raise checks.missing_member(name)
        return
    shape = checks.a_text(checks.an_object(header, name), "type", name, high=32)
    if shape == "text":
        checks.a_text(header, "text", name, high=_HEADER_MAX)
    elif shape in _HEADER_MEDIA and kind not in ("list", "product_list"):
        media = checks.an_object(header.get(shape), f"{name}['{shape}']")
        check_attachment(world, media, f"{name}['{shape}']")
    else:
        raise checks.invalid(f"{name}['type'] {shape} is not allowed for {kind}")


def _check_body(kind: str, interactive: Json) -> None:
    body = interactive.get("body")
    if body is None and kind == "product":
        return
    body = checks.an_object(body, "interactive['body']")
    high = _LIST_BODY_MAX if kind == "list" else _BODY_MAX
    checks.a_text(body, "text", "interactive['body']", high=high)


def _buttons(_world: World, action: Json) -> None:
    buttons = checks.a_list(action.get("buttons"), f"{_ACTION}['buttons']")
    checks.a_length(buttons, f"{_ACTION}['buttons']", low=1, high=_BUTTONS_MAX)
    titles, ids = [], []
    for index, button in enumerate(buttons):
        name = f"{_ACTION}['buttons'][{index}]['reply']"
        reply = checks.an_object(checks.an_object(button, name).get("reply"), name)
        ids.append(checks.a_text(reply, "id", name, high=256))
        titles.append(checks.a_text(reply, "title", name, high=20))
    _distinct(titles, "Button titles")
    _distinct(ids, "Button ids")


def _list(_world: World, action: Json) -> None:
    checks.a_text(action, "button", _ACTION, high=20)
    sections = checks.a_list(action.get("sections"), f"{_ACTION}['sections']")
    checks.a_length(sections, f"{_ACTION}['sections']", low=1, high=_SECTIONS_MAX)
    ids: list[str] = []
    for index, section in enumerate(sections):
        name = f"{_ACTION}['sections'][{index}]"
        section = checks.an_object(section, name)
        if len(sections) > 1:
            checks.a_text(section, "title", name, high=24)
        rows = checks.a_list(section.get("rows"), f"{name}['rows']")
        ids += [_row(row, f"{name}['rows'][{at}]") for at, row in enumerate(rows)]
    checks.a_length(ids, "Total row count", low=1, high=_ROWS_MAX)
    _distinct(ids, "Row ids")


def _row(row: Any, name: str) -> str:
    row = checks.an_object(row, name)
    checks.a_text(row, "title", name, high=24)
    checks.an_optional_text(row, "description", name, high=72)
    return checks.a_text(row, "id", name, high=200)


def _call_to_action(_world: World, action: Json) -> None:
    name = f"{_ACTION}['parameters']"
    parameters = checks.an_object(action.get("parameters"), name)
    checks.a_text(parameters, "display_text", name, high=20)
    checks.a_text(parameters, "url", name, high=2000)


def _flow(world: World, action: Json) -> None:
    name = f"{_ACTION}['parameters']"
    parameters = checks.an_object(action.get("parameters"), name)
    checks.a_text(parameters, "flow_message_version", name, high=8)
    checks.a_text(parameters, "flow_cta", name, high=30)
    wanted = parameters.get("flow_id") or parameters.get("flow_name")
    if wanted is None:
        raise checks.missing_member(f"{name}['flow_id']")
    flow = next((flow for flow in world.flows.values() if wanted in (flow.id, flow.name)), None)
    if flow is None:
        raise checks.invalid(f"{name}['flow_id'] {wanted} does not exist")
    _check_sendable(world, flow, draft=parameters.get("mode") == "draft")


def _check_sendable(world: World, flow: Flow, *, draft: bool) -> None:
    """Drafts go only as drafts, throttled ones ten times an hour, blocked ones not at all."""
    if flow.status == "BLOCKED":
        raise meta_error(132068, details=f"Flow {flow.id} is blocked")
    if flow.status == "THROTTLED":
        recent = [at for at in flow.sent_at if world.clock() - at < 3600]
        if len(recent) >= _THROTTLED_PER_HOUR:
            raise meta_error(132069, details=f"Flow {flow.id} was sent 10 times within an hour")
        flow.sent_at = [*recent, world.clock()]
    elif flow.status != ("DRAFT" if draft else "PUBLISHED"):
        raise checks.invalid(f"Flow {flow.id} is {flow.status}")


def _product(_world: World, action: Json) -> None:
    checks.a_text(action, "catalog_id", _ACTION, high=64)
    checks.a_text(action, "product_retailer_id", _ACTION, high=256)


def _product_list(_world: World, action: Json) -> None:
    checks.a_text(action, "catalog_id", _ACTION, high=64)
    sections = checks.a_list(action.get("sections"), f"{_ACTION}['sections']")
    checks.a_length(sections, f"{_ACTION}['sections']", low=1, high=_SECTIONS_MAX)
    items: list[Any] = []
    for index, section in enumerate(sections):
        name = f"{_ACTION}['sections'][{index}]['product_items']"
        items += checks.a_list(checks.an_object(section, name).get("product_items"), name)
    checks.a_length(items, "Total product count", low=1, high=_PRODUCTS_MAX)


def _carousel(_world: World, action: Json) -> None:
    cards = checks.a_list(action.get("cards"), f"{_ACTION}['cards']")
    checks.a_length(cards, f"{_ACTION}['cards']", low=2, high=_CARDS_MAX)
    for index, card in enumerate(cards):
        name = f"{_ACTION}['cards'][{index}]"
        if checks.an_object(card, name).get("card_index") != index:
            raise checks.invalid(f"{name}['card_index'] must be {index}")
        if (body := card.get("body")) is not None:
            checks.a_text(checks.an_object(body, name), "text", f"{name}['body']", high=160)


def _named(expected: str, *, parameters: bool = False) -> Action:
    """An action that is told by its `name`, and may need parameters nobody looks into here."""

    def check(_world: World, action: Json) -> None:
        if checks.a_text(action, "name", _ACTION, high=64) != expected:
            raise checks.invalid(f"{_ACTION}['name'] must be {expected}")
        if parameters:
            checks.an_object(action.get("parameters"), f"{_ACTION}['parameters']")

    return check


_ACTIONS: dict[str, Action] = {
    "button": _buttons,
    "list": _list,
    "cta_url": _call_to_action,
    "flow": _flow,
    "product": _product,
    "product_list": _product_list,
    "carousel": _carousel,
    "catalog_message": _named("catalog_message"),
    "location_request_message": _named("send_location"),
    "address_message": _named("address_message", parameters=True),
    "voice_call": _named("voice_call"),
    "call_permission_request": _named("call_permission_request"),
    "request_contact_info": _named("request_contact_info"),
    "order_details": _named("review_and_pay", parameters=True),
    "order_status": _named("review_order", parameters=True),
}


def _distinct(values: list[str], what: str) -> None:
    if len(set(values)) != len(values):
        raise checks.invalid(f"{what} are not unique")
