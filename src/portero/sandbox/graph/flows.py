"""Flows: drafts that are published and then only deprecated."""

import json
from datetime import UTC, datetime

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call, Reply
from portero.sandbox.graph import people, wabas
from portero.sandbox.graph.errors import unknown_object
from portero.sandbox.graph.nodes import Shown
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import Flow, Json, Waba
from portero.sandbox.reading import read_json, required

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

_METADATA = ("name", "categories", "endpoint_uri", "application_id")


def _values(call: Call, flow: Flow) -> Json:
    waba = call.world.wabas[flow.waba_id]
    updated_at = datetime.fromtimestamp(flow.info["updated_at"], tz=UTC)
    preview = f"https://business.facebook.com/wa/manage/flows/{flow.id}/preview/"
    return {
        "id": flow.id,
        "name": flow.name,
        "status": flow.status,
        "categories": flow.info["categories"],
        "validation_errors": _validation_errors(flow),
        "json_version": "7.0",
        "data_api_version": "3.0",
        "data_channel_uri": flow.info.get("endpoint_uri"),
        "endpoint_uri": flow.info.get("endpoint_uri"),
        "preview": {"preview_url": preview, "expires_at": "2030-01-01T00:00:00+0000"},
        "whatsapp_business_account": wabas.SHOWN.render(call, waba),
        "application": people.APP.render(call, call.world.app),
        "health_status": {"can_send_message": "AVAILABLE", "entities": []},
        "updated_at": updated_at.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


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
    flow = Flow(
        id=call.world.new_id(),
        waba_id=waba.id,
        name=request.needed("name"),
        status="DRAFT",
        info={"categories": _categories(call), "endpoint_uri": request.text("endpoint_uri")},
        json_text=_flow_json(call),
    )
    flow.info["updated_at"] = int(call.now)
    call.world.flows[flow.id] = flow
    errors = _validation_errors(flow)
    if request.flag("publish") and flow.json_text and not errors:
        flow.status = "PUBLISHED"
    answer: Json = {"id": flow.id}
    return answer | ({"success": True, "validation_errors": errors} if flow.json_text else {})


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
    return SUCCESS


def delete_flow(call: Call, flow: Flow) -> Json:
    if flow.status != "DRAFT":
        raise meta_error(139004, details="Only drafts can be deleted")
    del call.world.flows[flow.id]
    return SUCCESS


def publish_flow(_call: Call, flow: Flow) -> Json:
    if flow.status != "DRAFT" or not flow.json_text or _validation_errors(flow):
        raise meta_error(139002, details="Only a draft with valid Flow JSON can be published")
    flow.status = "PUBLISHED"
    return SUCCESS


def deprecate_flow(_call: Call, flow: Flow) -> Json:
    if flow.status != "PUBLISHED":
        raise meta_error(139003, details="Only a published flow can be deprecated")
    flow.status = "DEPRECATED"
    return SUCCESS


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
