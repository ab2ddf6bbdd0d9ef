"""Analytics and cost in Meta's shapes. The emulator counts nothing: every figure is zero."""

from collections.abc import Iterator

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import Call
from portero.sandbox.objects import Json, Waba

_STEP_S = {
    "HALF_HOUR": 1_800,
    "DAY": 86_400,
    "DAILY": 86_400,
    "MONTH": 30 * 86_400,
    "MONTHLY": 30 * 86_400,
}
_POINTS_MAX = 1_000


def read_analytics(call: Call, _waba: Waba) -> Json:
    """Messages sent and delivered."""
    request = call.request
    points = [{"start": a, "end": b, "sent": 0, "delivered": 0} for a, b in _spans(call)]
    return {
        "phone_numbers": request.listed("phone_numbers"),
        "country_codes": request.listed("country_codes"),
        "granularity": request.text("granularity"),
        "data_points": points,
    }


def read_conversations(call: Call, _waba: Waba) -> Json:
    """Conversations, and their cost where it is asked for."""
    return _series(call, {"conversation": 0})


def read_pricing(call: Call, _waba: Waba) -> Json:
    """Volume, and cost where it is asked for."""
    return _series(call, {"volume": 0})


def read_calls(call: Call, _waba: Waba) -> Json:
    return _series(call, {"count": 0, "average_duration": 0})


def read_template_analytics(call: Call, waba: Waba) -> Json:
    """Per template and day: sent, delivered, read, clicked, cost."""
    if not waba.info.get("is_enabled_for_insights"):
        raise meta_error(200007, details="Template insights are not enabled for this account")
    figures = {"sent": 0, "delivered": 0, "read": 0}
    points = [
        {"template_id": template_id, "start": a, "end": b, **figures}
        for template_id in map(str, call.request.listed("template_ids"))
        for a, b in _spans(call)
    ]
    product = {"granularity": "DAILY", "product_type": "cloud_api", "data_points": points}
    return {"data": [product]}


def _series(call: Call, figures: Json) -> Json:
    metrics = {str(item).upper() for item in call.request.listed("metric_types")}
    if not metrics or "COST" in metrics:
        figures = figures | {"cost": 0}
    points = [{"start": a, "end": b, **figures} for a, b in _spans(call)]
    return {"data": [{"data_points": points}]}


def _spans(call: Call) -> Iterator[tuple[int, int]]:
    """The time asked for, cut by granularity. Raises `GraphError`."""
    request = call.request
    start, end = request.number("start", 0), request.number("end", 0)
    step = _STEP_S.get((request.text("granularity") or "DAILY").upper())
    if step is None:
        raise meta_error(100, details="Param granularity is not valid")
    if end <= start or end - start > _POINTS_MAX * step:
        raise meta_error(100, details="Params start and end are not a valid time range")
    for at in range(start, end, step):
        yield at, min(at + step, end)
