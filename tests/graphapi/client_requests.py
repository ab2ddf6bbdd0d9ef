"""Requests exactly as real client libraries write them, and how the table reads them."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import httpx
import requests
from facebook_business.api import FacebookAdsApi
from facebook_business.session import FacebookSession
from pywa.api import GraphAPI

from portero.graphapi.kinds import Kind
from portero.graphapi.operation import Call, UploadedFile
from portero.graphapi.parse import RawCall, parse
from portero.graphapi.upstream import rebuild

NUMBER, WABA, TEMPLATE, MEDIA, FLOW = "1001", "2001", "3001", "4001", "5001"
APP, BUSINESS, SIGNUP, USER, CATALOG = "6001", "7001", "8001", "9001", "9101"
GROUP, UPLOAD = "Y2FwaV9ncm91cDox", "upload:MTphdHRhY2htZW50"
MESSAGE, CALL_ID = "wamid.HBgLMTY1MDU1NTEyMzQ", "wacid.HBgLMTY1MDU1NTEyMzQ"
KINDS: Mapping[str, Kind] = {
    NUMBER: Kind.NUMBER,
    WABA: Kind.WABA,
    TEMPLATE: Kind.TEMPLATE,
    MEDIA: Kind.MEDIA,
    FLOW: Kind.FLOW,
    APP: Kind.APP,
    BUSINESS: Kind.BUSINESS,
    SIGNUP: Kind.SIGNUP,
    USER: Kind.USER,
    CATALOG: Kind.CATALOG,
    GROUP: Kind.GROUP,
    UPLOAD: Kind.UPLOAD,
}


def by_pywa(act: Callable[[GraphAPI], object]) -> Call:
    """What the table makes of the request that pywa sends."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        sent.append(request)
        return httpx.Response(200, json={"data": []})

    with httpx.Client(transport=httpx.MockTransport(answer)) as session:
        act(GraphAPI(token="t", session=session, api_version=26.0))
    (request,) = sent
    path, _, query = request.url.raw_path.partition(b"?")
    return read(request.method, path, query, request.headers.get("content-type"), request.content)


def by_facebook_sdk(act: Callable[[FacebookAdsApi], object]) -> Call:
    """What the table makes of the request that Meta's own SDK sends."""
    sent: list[requests.PreparedRequest] = []

    class Recorder(requests.adapters.HTTPAdapter):
        def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
            sent.append(request)
            response = requests.Response()
            response.status_code = 200
            response._content = b'{"data":[]}'
            return response

    session = FacebookSession(app_id="6001", app_secret="s3cret", access_token="t")
    session.requests.mount("https://", Recorder())
    act(FacebookAdsApi(session))
    (request,) = sent
    path, _, query = (request.path_url or "").partition("?")
    body = request.body.encode() if isinstance(request.body, str) else request.body
    return read(
        request.method or "",
        path.encode(),
        query.encode(),
        request.headers.get("content-type"),
        body or None,
    )


def read(
    method: str, path: bytes, query: bytes, content_type: str | None, body: bytes | None
) -> Call:
    """Parse as the gateway does: multipart is taken apart first."""
    if content_type and content_type.startswith("multipart/form-data"):
        fields, file = _multipart(content_type, body or b"")
        return parse(
            RawCall(method, path, query, content_type, None), KINDS, fields=fields, file=file
        )
    if path.rpartition(b"/")[2].startswith(b"upload:"):
        body = None
    return parse(RawCall(method, path, query, content_type, body), KINDS)


def again(call: Call) -> Call:
    """The call that our own upstream request would be, if it came to us."""
    upstream = rebuild(call, version="v23.0")
    raw = RawCall(
        upstream.method,
        upstream.path.encode(),
        upstream.query.encode(),
        upstream.content_type,
        upstream.body,
    )
    return parse(raw, KINDS, fields=upstream.form, file=call.file)


def _multipart(content_type: str, body: bytes) -> tuple[dict[str, str], UploadedFile | None]:
    boundary = content_type.partition("boundary=")[2].encode()
    fields: dict[str, str] = {}
    file = None
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        facts = SimpleNamespace(**_disposition(head.decode()))
        if facts.filename is None:
            fields[facts.name] = content.decode()
        else:
            file = UploadedFile(facts.name, facts.filename, facts.type)
    return fields, file


def _disposition(head: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {"name": "", "filename": None, "type": ""}
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-type":
            found["type"] = value.strip()
        for piece in value.split(";"):
            key, _, quoted = piece.strip().partition("=")
            if key in ("name", "filename"):
                found[key] = quoted.strip('"')
    return found
