"""Flows: drafts that are published and then only deprecated; Meta may throttle or block them."""

import json
from datetime import UTC, datetime
from functools import partial

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call, Reply
from portero.sandbox.courier import Courier, Delivery
from portero.sandbox.graph import authentication, people, wabas
from portero.sandbox.graph.errors import unknown_object
from portero.sandbox.graph.nodes import Shown
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import Flow, Json, Waba
from portero.sandbox.reading import read_json, required
from portero.sandbox.world import World

_CATEGORIES = frozenset(
    [
        "SIGN_UP",
        "SIGN_IN",
        "APPOINTMENT_BOOKING",
        "LEAD_GENERATION",
        "SHOPPING",
        "CONTACT_US",
        "CUSTOMER_SUPPORT",
        "SURVEY",
        "OTHER",
    ]
)
ASSET = "flow.json"
"""The name of the one asset that a flow has."""

STATUSES = ("DRAFT", "PUBLISHED", "DEPRECATED", "BLOCKED", "THROTTLED")

_PREVIEW_LIFE_S = 30 * 24 * 3600
_METADATA = ("name", "categories", "endpoint_uri", "application_id")


def _values(call: Call, flow: Flow) -> Json:
    waba = call.world.wabas[flow.waba_id]
    preview = f"https://business.facebook.com/wa/manage/flows/{flow.id}/preview/"
    versions = _versions(flow)
    return {
        "id": flow.id,
        "name": flow.name,
        "status": flow.status,
        "categories": flow.info["categories"],
        "validation_errors": _validation_errors(flow),
        "json_version": versions.get("version"),
        "data_api_version": versions.get("data_api_version"),
        "data_channel_uri": flow.info.get("endpoint_uri"),
        "endpoint_uri": flow.info.get("endpoint_uri"),
        "preview": {"preview_url": preview, "expires_at": _written(call.now + _PREVIEW_LIFE_S)},
        "whatsapp_business_account": wabas.SHOWN.render(call, waba),
        "application": people.APP.render(call, call.world.app, "name,link"),
        "health_status": {"can_send_message": _health(flow), "entities": []},
        "updated_at": _written(flow.info["updated_at"]),
    }


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S%z")


def _health(flow: Flow) -> str:
    return {"BLOCKED": "BLOCKED", "THROTTLED": "LIMITED"}.get(flow.status, "AVAILABLE")


def _versions(flow: Flow) -> Json:
    """What the Flow JSON says of its versions; nothing where there is none, or it is no JSON."""
    try:
        definition = read_json(flow.json_text)
    except ValueError:
        return {}
    return definition if isinstance(definition, dict) else {}


SHOWN = Shown(
    type_name="WhatsAppFlow",
    values=_values,
    defaults=("name", "status", "categories", "validation_errors"),
)


def read_flow(call: Call, flow: Flow) -> Json:
    return SHOWN.render(call, flow, call.request.params.get("fields"))


def list_flows(call: Call, waba: Waba) -> Json:
    fields = call.request.params.get("fields")
    flows = [flow for flow in call.world.flows.values() if flow.waba_id == waba.id]
    return paged(
        call,
        flows,
        key=lambda flow: flow.id,
        show=lambda flow: SHOWN.render(call, flow, fields),
    )


def create_flow(call: Call, waba: Waba) -> Json:
    """A draft, published at once when asked for and without faults."""
    request = call.request
    name = request.needed("name")
    if any(flow.name == name for flow in call.world.flows.values() if flow.waba_id == waba.id):
        raise meta_error(100, details=f"A flow named {name} exists already")
    flow = Flow(
        id=call.world.new_id(),
        waba_id=waba.id,
        name=name,
        status="DRAFT",
        info={"categories": _categories(call), "endpoint_uri": request.text("endpoint_uri")},
        json_text=_flow_json(call) or _cloned(call, waba),
    )
    flow.info["updated_at"] = int(call.now)
    call.world.flows[flow.id] = flow
    errors = _validation_errors(flow)
    if request.flag("publish") and flow.json_text and not errors:
        _move(call, flow, "PUBLISHED")
    answer: Json = {"id": flow.id}
    return answer | ({"success": True, "validation_errors": errors} if flow.json_text else {})


def _cloned(call: Call, waba: Waba) -> str:
    """The Flow JSON of the flow that `clone_flow_id` names, empty where it names none."""
    wanted = call.request.text("clone_flow_id")
    if wanted is None:
        return ""
    original = call.world.flows.get(wanted)
    if original is None or original.waba_id != waba.id:
        raise unknown_object(call.request.method, wanted)
    return original.json_text


def migrate_flows(call: Call, waba: Waba) -> Json:
    """Copies of another account's flows, as drafts; names that are taken fail one by one."""
    source_id = call.request.needed("source_waba_id")
    source = call.world.wabas.get(source_id)
    if source is None or call.token is None or not authentication.reaches(call.token, source):
        raise unknown_object(call.request.method, source_id)
    wanted = [str(name) for name in call.request.listed("source_flow_names")]
    theirs = {flow.name: flow for flow in call.world.flows.values() if flow.waba_id == source_id}
    ours = {flow.name for flow in call.world.flows.values() if flow.waba_id == waba.id}
    migrated: list[Json] = []
    failed: list[Json] = []
    for name in wanted or list(theirs):
        flow = theirs.get(name)
        if flow is None or name in ours:
            why = "The flow does not exist" if flow is None else "The name is taken"
            failed.append({"source_name": name, "error_code": "4233041", "error_message": why})
            continue
        info = flow.info | {"endpoint_uri": None, "updated_at": int(call.now)}
        copied = Flow(call.world.new_id(), waba.id, name, "DRAFT", info, flow.json_text)
        call.world.flows[copied.id] = copied
        migrated.append({"source_name": name, "source_id": flow.id, "migrated_id": copied.id})
    return {"migrated_flows": migrated, "failed_flows": failed}


def _flow_json(call: Call) -> str:
    given = call.request.params.get("flow_json", "")
    return given if isinstance(given, str) else json.dumps(given)


def _categories(call: Call) -> list[str]:
    categories = [str(item) for item in call.request.listed("categories")]
    if not categories:
        raise required("categories")
    if not _CATEGORIES.issuperset(categories):
        raise meta_error(100, details=f"Param categories must be of {', '.join(_CATEGORIES)}")
    return categories


def edit_flow(call: Call, flow: Flow) -> Json:
    params = call.request.params
    if not any(name in params for name in _METADATA):
        raise required("name")
    if flow.status != "DRAFT" and "name" in params:
        raise meta_error(139001, details="Only drafts can be renamed")
    flow.name = call.request.text("name") or flow.name
    if "categories" in params:
        flow.info["categories"] = _categories(call)
    if "endpoint_uri" in params:
        flow.info["endpoint_uri"] = call.request.text("endpoint_uri")
    flow.info["updated_at"] = int(call.now)
    return SUCCESS


def delete_flow(call: Call, flow: Flow) -> Json:
    if flow.status != "DRAFT":
        raise meta_error(139004, details="Only drafts can be deleted")
    del call.world.flows[flow.id]
    return SUCCESS


def publish_flow(call: Call, flow: Flow) -> Json:
    if flow.status != "DRAFT" or not flow.json_text or _validation_errors(flow):
        raise meta_error(139002, details="Only a draft with valid Flow JSON can be published")
    _move(call, flow, "PUBLISHED")
    return SUCCESS


def deprecate_flow(call: Call, flow: Flow) -> Json:
    if flow.status not in ("PUBLISHED", "THROTTLED", "BLOCKED"):
        raise meta_error(139003, details="Only a published flow can be deprecated")
    _move(call, flow, "DEPRECATED")
    return SUCCESS


def _move(call: Call, flow: Flow, status: str) -> None:
    """Change the status, and tell once the answer is on the wire."""
    before, flow.status = flow.status, status
    flow.info["updated_at"] = int(call.now)
    tell = partial(tell_status, flow, before, world=call.world, courier=call.courier)
    call.afterwards.append(lambda: call.courier.start(tell()))


async def tell_status(flow: Flow, before: str, *, world: World, courier: Courier) -> Delivery:
    """Tell the subscriber that a flow changed its status."""
    value = {
        "event": "FLOW_STATUS_CHANGE",
        "message": f"Flow {flow.name} changed status from {before} to {flow.status}",
        "flow_id": flow.id,
        "old_status": before,
        "new_status": flow.status,
    }
    return await courier.deliver("flows", value, waba=world.wabas[flow.waba_id])


def read_metric(call: Call, _flow: Flow) -> Json:
    """A figure of the flow's endpoint, which is never called here: no point in time has one."""
    name, granularity = call.request.needed("name"), call.request.needed("granularity")
    return {"name": name, "granularity": granularity, "data_points": []}


def list_assets(call: Call, flow: Flow) -> Json:
    """The flow's one asset, with a link that needs the token like everything else."""
    url = f"{call.request.base_url}/{flow.id}/assets/{ASSET}"
    asset = {"name": ASSET, "asset_type": "FLOW_JSON", "download_url": url}
    return paged(call, [asset] if flow.json_text else [], key=lambda item: item["name"], show=dict)


def read_asset(call: Call, flow: Flow) -> Reply:
    """What the link of the asset leads to."""
    if not flow.json_text:
        raise unknown_object(call.request.method, flow.id)
    return Reply(flow.json_text.encode(errors="replace"))


def upload_asset(call: Call, flow: Flow) -> Json:
    """New Flow JSON for a draft."""
    file = call.request.files.get("file")
    if file is None:
        raise required("file")
    if flow.status != "DRAFT":
        raise meta_error(139001, details="Only drafts can be updated")
    flow.json_text = file.content.decode("utf-8", "replace")
    flow.info["updated_at"] = int(call.now)
    return SUCCESS | {"validation_errors": _validation_errors(flow)}


def _validation_errors(flow: Flow) -> list[Json]:
    """Whether the text is JSON with screens; Meta's full schema is not checked."""
    if not flow.json_text:
        return []
    try:
        definition = read_json(flow.json_text)
    except ValueError as error:
        return [_validation_error("INVALID_JSON", str(error))]
    if not isinstance(definition, dict) or not definition.get("screens"):
        return [_validation_error("MISSING_REQUIRED_PROPERTY", "'screens' is missing")]
    return []


def _validation_error(code: str, message: str) -> Json:
    place = {"line_start": 1, "line_end": 1, "column_start": 1, "column_end": 1}
    return {"error": code, "error_type": "FLOW_JSON_ERROR", "message": message, **place}
