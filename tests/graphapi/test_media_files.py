"""Which files are taken where, and how large they may be."""

import pytest

from graphapi.client_requests import FLOW, GROUP, KINDS, NUMBER
from portero.graphapi.errors import GraphError
from portero.graphapi.media import ACCEPTED
from portero.graphapi.operation import Call, UploadedFile
from portero.graphapi.parse import RawCall, parse

FIELDS = {"messaging_product": "whatsapp"}


def raw(path: str) -> RawCall:
    return RawCall("POST", path.encode(), b"", "multipart/form-data; boundary=x", None)


def upload(path: str, fields: dict[str, str], mime: str) -> Call:
    return parse(raw(path), KINDS, fields=fields, file=UploadedFile("file", "a", mime))


@pytest.mark.parametrize("mime", ACCEPTED)
def test_every_type_that_meta_takes_is_taken(mime: str) -> None:
    call = upload(f"/{NUMBER}/media", {**FIELDS, "type": mime}, mime)

    assert call.operation.name == "upload_media"
    assert call.permissions == ("media:upload",)


@pytest.mark.parametrize(
    ("mime", "megabytes"),
    [
        ("image/png", 5),
        ("video/mp4", 16),
        ("audio/ogg", 16),
        ("application/pdf", 100),
    ],
)
def test_the_limits_are_metas(mime: str, megabytes: int) -> None:
    assert ACCEPTED[mime].max_bytes == megabytes * 1024 * 1024


def test_parameters_and_case_of_a_type_do_not_matter() -> None:
    call = upload(f"/{NUMBER}/media", {**FIELDS, "type": "audio/ogg"}, "Audio/OGG; codecs=opus")

    assert call.file == UploadedFile("file", "a", "Audio/OGG; codecs=opus")


def test_a_kind_of_media_in_the_type_field_says_nothing_against_the_file() -> None:
    call = upload(f"/{NUMBER}/media", {**FIELDS, "type": "image"}, "image/png")

    assert call.body == {"messaging_product": "whatsapp", "type": "image"}


@pytest.mark.parametrize(
    "mime",
    [
        "image/svg+xml",
        "text/html",
        "image/gif",
        "application/json",
        "application/octet-stream",
        "",
        "x",
    ],
)
def test_g23_a_type_that_meta_does_not_take_is_refused(mime: str) -> None:
    with pytest.raises(GraphError) as refused:
        upload(f"/{NUMBER}/media", FIELDS, mime)

    assert refused.value.reason == "malformed"


def test_g23_the_form_cannot_say_another_type_than_the_file() -> None:
    with pytest.raises(GraphError):
        upload(f"/{NUMBER}/media", {**FIELDS, "type": "image/png"}, "video/mp4")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"messaging_product": "telegram"},
        {**FIELDS, "file": "x"},
        {**FIELDS, "ttl_minutes": "59"},
        {**FIELDS, "ttl_minutes": "43201"},
        {**FIELDS, "unknown": "1"},
        {**FIELDS, "method": "delete"},
    ],
)
def test_the_fields_beside_a_file_are_as_closed_as_any_body(fields: dict[str, str]) -> None:
    with pytest.raises(GraphError) as refused:
        upload(f"/{NUMBER}/media", fields, "image/png")

    assert refused.value.reason == "malformed"


def test_an_upload_without_a_file_is_refused() -> None:
    body = b'{"messaging_product":"whatsapp"}'

    for request in (
        RawCall("POST", f"/{NUMBER}/media".encode(), b"", "application/json", body),
        RawCall("POST", f"/{FLOW}/assets".encode(), b"", None, None),
    ):
        with pytest.raises(GraphError) as refused:
            parse(request, KINDS)
        assert refused.value.reason == "malformed"


@pytest.mark.parametrize("path", [f"/{NUMBER}/messages", f"/{NUMBER}", f"/{FLOW}"])
def test_an_operation_that_takes_no_file_refuses_one(path: str) -> None:
    with pytest.raises(GraphError) as refused:
        upload(path, {"name": "x"}, "image/png")

    assert refused.value.reason == "malformed"


def test_a_flow_takes_json_and_a_group_a_picture_in_its_own_field() -> None:
    asset = {"name": "flow.json", "asset_type": "FLOW_JSON"}
    picture = UploadedFile("profile_picture_file", "p.jpg", "image/jpeg")

    flow = upload(f"/{FLOW}/assets", asset, "application/json")
    group = parse(raw(f"/{GROUP}"), KINDS, fields=FIELDS, file=picture)

    assert flow.operation.name == "upload_flow_json"
    assert group.operation.name == "update_group"
    with pytest.raises(GraphError):
        upload(f"/{GROUP}", FIELDS, "image/jpeg")
    with pytest.raises(GraphError):
        upload(f"/{FLOW}/assets", asset, "image/png")
