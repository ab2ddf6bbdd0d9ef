"""Answers as they leave: Meta's headers around a JSON body or a file."""

import json
import secrets

from starlette.responses import Response

from portero.graphapi.errors import GraphError
from portero.sandbox.calls import Call, Reply

_LATEST_VERSION = "v26.0"
_REVISION = "1030000000"


def trace_id() -> str:
    """An `fbtrace_id` of Meta's length and alphabet."""
    return "A" + secrets.token_urlsafe(16)


def error_reply(error: GraphError, trace: str) -> Reply:
    """The answer to a failed call."""
    return Reply(error.body(trace), status=error.http)


def response_for(
    reply: Reply, *, trace: str, call: Call | None, error: GraphError | None
) -> Response:
    """The HTTP answer, with the headers that clients and dashboards look at."""
    version = call.request.version if call else None
    headers = {
        "facebook-api-version": version or _LATEST_VERSION,
        "x-fb-trace-id": trace,
        "x-fb-request-id": trace,
        "x-fb-rev": _REVISION,
        "x-app-usage": json.dumps({"call_count": 1, "total_cputime": 0, "total_time": 0}),
    }
    if call is not None and call.waba is not None:
        headers["x-business-use-case-usage"] = _business_usage(call.waba.id)
    if error is not None:
        headers |= error.headers()
    content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body)
    return Response(content, reply.status, headers, reply.content_type)


def _business_usage(waba_id: str) -> str:
    usage = {"call_count": 1, "total_cputime": 1, "total_time": 1}
    usage["estimated_time_to_regain_access"] = 0
    return json.dumps({waba_id: [{"type": "whatsapp_business_management", **usage}]})
