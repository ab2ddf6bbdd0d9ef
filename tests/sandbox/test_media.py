"""Media: limits, links of five minutes, and resumable uploads."""

import hashlib

import pytest

from portero.sandbox import World
from portero.sandbox.objects import Media
from sandbox.harness import APP, CUSTOMER, NUMBER, OTHER_NUMBER, WORLD, Running

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
USUAL = {"messaging_product": "whatsapp"}


def upload(sandbox: Running, content: bytes = PNG, mime_type: str = "image/png") -> str:
    response = sandbox.call(
        "POST", f"/{NUMBER}/media", data=USUAL, files={"file": ("a.png", content, mime_type)}
    )
    assert response.status_code == 200, response.text
    media_id: str = response.json()["id"]
    return media_id


def test_an_uploaded_file_is_described_and_comes_back(sandbox: Running) -> None:
    media_id = upload(sandbox)

    told = sandbox.get(f"/v23.0/{media_id}")

    assert told == {
        "messaging_product": "whatsapp",
        "url": told["url"],
        "mime_type": "image/png",
        "sha256": hashlib.sha256(PNG).hexdigest(),
        "file_size": len(PNG),
        "id": media_id,
    }
    assert told["url"].startswith(sandbox.url)
    downloaded = sandbox.call("GET", told["url"])
    assert (downloaded.content, downloaded.headers["content-type"]) == (PNG, "image/png")


def test_an_uploaded_file_can_be_sent(sandbox: Running) -> None:
    media_id = upload(sandbox)

    assert sandbox.send({"type": "image", "image": {"id": media_id}}).status_code == 200


def test_the_link_works_without_a_token(sandbox: Running) -> None:
    url = sandbox.get(f"/{upload(sandbox)}")["url"]

    assert sandbox.http.get(url).content == PNG


def test_the_link_with_a_bad_token_is_refused(sandbox: Running) -> None:
    url = sandbox.get(f"/{upload(sandbox)}")["url"]

    assert sandbox.call("GET", url, headers={"Authorization": "Bearer x"}).status_code == 401


def test_a_forged_link_is_404(sandbox: Running) -> None:
    url = sandbox.get(f"/{upload(sandbox)}")["url"]

    assert sandbox.call("GET", url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 404


def test_the_link_is_404_after_five_minutes(sandbox: Running) -> None:
    url = sandbox.get(f"/{upload(sandbox)}")["url"]
    sandbox.clock.ahead_s = 301

    assert sandbox.call("GET", url).status_code == 404


def test_an_uploaded_file_lives_thirty_days_and_a_received_one_seven(sandbox: Running) -> None:
    uploaded = upload(sandbox)
    sandbox.control("inbound", {"phone_number_id": NUMBER, "from": CUSTOMER, "type": "sticker"})
    received = sandbox.hooks.values(1)[0]["messages"][0]["sticker"]["id"]

    sandbox.clock.ahead_s = 8 * 24 * 3600
    assert sandbox.get(f"/{uploaded}")["id"] == uploaded
    assert sandbox.refusal("GET", f"/{received}")["error_subcode"] == 33
    sandbox.clock.ahead_s = 31 * 24 * 3600
    assert sandbox.refusal("GET", f"/{uploaded}")["error_subcode"] == 33


def test_media_belongs_to_its_number_when_one_is_named(sandbox: Running) -> None:
    media_id = upload(sandbox)

    assert sandbox.get(f"/{media_id}", phone_number_id=NUMBER)["id"] == media_id
    refused = sandbox.refusal("GET", f"/{media_id}", params={"phone_number_id": OTHER_NUMBER})
    assert refused["error_subcode"] == 33


def test_deleted_media_is_gone(sandbox: Running) -> None:
    media_id = upload(sandbox)
    url = sandbox.get(f"/{media_id}")["url"]

    assert sandbox.call("DELETE", f"/{media_id}").json() == {"success": True}
    assert sandbox.refusal("GET", f"/{media_id}")["error_subcode"] == 33
    assert sandbox.call("GET", url).status_code == 404


@pytest.mark.parametrize(
    ("mime_type", "size", "code"),
    [
        ("application/zip", 1, 100),
        ("image/png", 5 * 1024 * 1024 + 1, 131053),
        ("image/webp", 500 * 1024 + 1, 131053),
    ],
)
def test_a_file_of_another_kind_or_too_large_is_refused(
    sandbox: Running, mime_type: str, size: int, code: int
) -> None:
    file = {"file": ("a", bytes(size), mime_type)}

    error = sandbox.refusal("POST", f"/{NUMBER}/media", data=USUAL, files=file)

    assert error["code"] == code


def test_an_upload_needs_file_and_product(sandbox: Running) -> None:
    path, file = f"/{NUMBER}/media", {"file": ("a", PNG, "image/png")}

    without_file = sandbox.refusal("POST", path, data=USUAL)
    without_product = sandbox.refusal("POST", path, files=file)

    assert without_file["message"] == "(#100) The parameter file is required."
    assert without_product["message"] == "(#100) The parameter messaging_product is required."


def test_a_broken_multipart_body_is_refused(sandbox: Running) -> None:
    headers = {"Content-Type": "multipart/form-data"}

    error = sandbox.refusal("POST", f"/{NUMBER}/media", content=b"--x\r\n", headers=headers)

    assert error["code"] == 100


def test_a_resumable_upload_gives_a_handle_that_a_profile_takes(sandbox: Running) -> None:
    wanted = {"file_name": "a.png", "file_length": len(PNG), "file_type": "image/png"}
    session = sandbox.post(f"/{APP}/uploads", **wanted)["id"]

    half = sandbox.call("POST", f"/{session}", content=PNG[:30], headers={"file_offset": "0"})
    at = sandbox.get(f"/{session}")["file_offset"]
    full = sandbox.call("POST", f"/{session}", content=PNG[30:], headers={"file_offset": str(at)})

    assert session.startswith("upload:")
    assert half.json()["file_offset"] == at == 30
    profile = USUAL | {"profile_picture_handle": full.json()["h"]}
    assert sandbox.post(f"/{NUMBER}/whatsapp_business_profile", profile) == {"success": True}


def test_a_resumable_upload_continues_only_where_it_stopped(sandbox: Running) -> None:
    session = sandbox.post(f"/{APP}/uploads", file_length=10, file_type="image/png")["id"]

    error = sandbox.refusal("POST", f"/{session}", content=b"x", headers={"file_offset": "5"})

    assert error["error_data"]["details"] == "file_offset must be 0"
    missing = sandbox.refusal("POST", f"/{APP}/uploads", params={"file_type": "image/png"})
    assert missing["error_data"]["details"].startswith("Param file_length")
    assert sandbox.refusal("GET", "/upload:nobody")["error_subcode"] == 33


def test_a_resumable_upload_ends_with_its_last_byte(sandbox: Running) -> None:
    session = sandbox.post(f"/{APP}/uploads", file_length=10, file_type="image/png")["id"]
    sandbox.call("POST", f"/{session}", content=bytes(10)).raise_for_status()

    for more, offset in ((b"x", "10"), (b"", "10"), (b"", "0")):
        headers = {"file_offset": offset}
        error = sandbox.refusal("POST", f"/{session}", content=more, headers=headers)
        assert error["error_data"]["details"] == "All announced bytes are there"

    assert sandbox.get(f"/{session}")["file_offset"] == 10


def test_the_oldest_media_is_forgotten_beyond_the_bound(
    sandbox: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portero.sandbox.world._MAX_MEDIA_BYTES", 2 * len(PNG) + 10)
    first, second = upload(sandbox), upload(sandbox)

    third = upload(sandbox)
    kept = [sandbox.call("GET", f"/{item}").status_code for item in (first, second, third)]
    sandbox.call("DELETE", f"/{second}").raise_for_status()
    fourth = upload(sandbox)

    assert kept == [400, 200, 200]
    assert [sandbox.get(f"/{item}")["id"] for item in (third, fourth)] == [third, fourth]


def test_keeping_media_takes_as_long_with_much_as_with_little() -> None:
    world = World.from_dict(WORLD)
    looked_at = 0

    class Counted(bytes):
        def __len__(self) -> int:
            nonlocal looked_at
            looked_at += 1
            return super().__len__()

    for n in range(500):
        world.keep_media(Media(str(n), NUMBER, "image/png", Counted(PNG), created_at=0.0))

    assert looked_at <= 2 * 500
