"""G23: every file that is not what it says, through the upload door."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from abuse.door import MEDIA, Door
from abuse.watch import Row, Watch
from gateway.house import Key
from gateway.media_samples import (
    GENUINE,
    NOTHING_WE_TAKE,
    TYPES,
    WORD,
    jpeg,
    office,
    ole,
    png,
    segment,
    webp,
)
from portero.gateway import uploads
from portero.graphapi.media import ACCEPTED

_LATE = segment(0xE1, 60_000)  # so that what follows is not among a file's first bytes


def body_of(arrived: Row) -> bytes:
    """The bytes that reached Meta, whichever way the ledger prints them."""
    body: str = arrived["body"]
    return base64.b64decode(body) if arrived.get("body_encoding") == "base64" else body.encode()


@pytest.mark.parametrize("name", NOTHING_WE_TAKE)
def test_g23_what_meta_does_not_take_leaves_under_no_type(
    door: Door, watch: Watch, everything: Key, name: str
) -> None:
    for mime in ("image/png", "image/jpeg", "text/plain", "application/pdf", "video/mp4", WORD):
        answer = door.upload(everything, mime, NOTHING_WE_TAKE[name])
        assert answer.verdict == (400, 100, None, "malformed"), mime

    assert watch.ledger() == []


@pytest.mark.parametrize("kind", [
    "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=a, b",
    "multipart/form-data; boundary=a; boundary=a", 'multipart/form-data; boundary="a',
])  # fmt: skip
def test_g23_a_boundary_that_is_none_is_malformed(
    door: Door, watch: Watch, everything: Key, kind: str
) -> None:
    answer = door.call("POST", MEDIA, key=everything, headers=[("Content-Type", kind)], body=b"--a")

    assert answer.verdict == (400, 100, None, "malformed")
    assert watch.ledger() == []


@pytest.mark.parametrize("mime", [
    "image/svg+xml", "text/html", "application/xhtml+xml", "application/javascript",
    "application/zip", "application/octet-stream", "image/gif", "multipart/mixed", "",
])  # fmt: skip
def test_g23_a_type_that_is_not_on_the_list_leaves_with_no_file(
    door: Door, watch: Watch, everything: Key, mime: str
) -> None:
    for data in (png(), NOTHING_WE_TAKE["SVG"]):
        assert door.upload(everything, mime, data).verdict == (400, 100, None, "malformed")

    assert watch.ledger() == []


# What the first bytes show: nothing leaves.
AT_ONCE = {
    "one picture as another": ("image/jpeg", png()),
    "a picture as a document": ("application/pdf", png()),
    "a document as a picture": ("image/png", GENUINE["application/pdf"][0]),
    "a drawing behind a picture": ("image/png", png() + NOTHING_WE_TAKE["SVG"]),
    "a script within a picture": ("image/jpeg", jpeg(before=b"\xff\xfe\x00\x20<script>alert(1)</script>      ")),
    "a program behind a picture": ("image/webp", webp() + b"<?php ?>"),
    "a document within a picture": ("image/jpeg", b"\xff\xd8\xff\xe0%PDF-1.4"),
}  # fmt: skip
# What only the rest shows: it has begun to leave, and its end never does.
LATER = {
    "an archive behind a picture": ("image/jpeg", jpeg(before=_LATE) + office("evil.js")),
    "a picture of 81 million points": ("image/jpeg", jpeg(9000, 9000, before=_LATE)),
    "a picture without a size": ("image/jpeg", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 5000),
    "a sheet as a letter": (WORD, office(TYPES, "xl/workbook.xml")),
    "macros in a letter": (WORD, office(TYPES, "word/document.xml", "word/vbaProject.bin")),
    "an old sheet as an old letter": ("application/msword", ole("Workbook")),
    "no text behind text": ("text/plain", b"x" * 70_000 + b"\0\x01"),
}


@pytest.mark.parametrize("what", AT_ONCE)
def test_g23_a_file_whose_beginning_disagrees_does_not_leave(
    door: Door, watch: Watch, everything: Key, what: str
) -> None:
    assert door.upload(everything, *AT_ONCE[what]).verdict == (400, 100, None, "malformed")
    assert watch.ledger() == []


@pytest.mark.parametrize("what", LATER)
def test_g23_a_file_whose_rest_disagrees_never_becomes_whole_at_meta(
    door: Door, watch: Watch, everything: Key, what: str
) -> None:
    assert door.upload(everything, *LATER[what]).verdict == (400, 100, None, "malformed")

    assert all(one["status"] is None for one in watch.ledger())
    outcomes = [r["outcome"] for r in watch.records() if r["kind"] == "outcome"]
    assert set(outcomes) <= {"stopped"}


@pytest.mark.parametrize("name", [
    "../../etc/passwd", "C:\\evil.png", "é☃.png", "a;filename=evil.png", "evil.php",
    "..%2f..%2fevil", "evil.png%00.php", "e" * 300,
])  # fmt: skip
def test_g23_the_name_that_leaves_is_ours(
    door: Door, watch: Watch, everything: Key, name: str
) -> None:
    answer = door.upload(everything, "image/png", png(), name=name)

    assert answer.status == 200, answer.body
    [arrived] = watch.ledger()
    assert body_of(arrived).count(b"filename=") == 1
    assert b'filename="upload.png"' in body_of(arrived)


@pytest.mark.parametrize("name", ['a"; x="b', "a\r\nX-Evil: 1", "a\0b"])
def test_g23_a_name_that_leaves_its_header_takes_the_file_nowhere(
    door: Door, watch: Watch, everything: Key, name: str
) -> None:
    answer = door.upload(everything, "image/png", png(), name=name)

    arrived = [body_of(one) for one in watch.ledger()]
    assert answer.status == 400 or [b'filename="upload.png"' in body for body in arrived] == [True]
    assert not any(b"X-Evil" in body or b"a\0b" in body for body in arrived)


def test_g23_every_genuine_file_leaves(door: Door, watch: Watch, everything: Key) -> None:
    """The other side of the corpus: the door is not simply closed."""
    for mime in ACCEPTED:
        for data in GENUINE[mime]:
            assert door.upload(everything, mime, data).status == 200, mime


def test_an_upload_promises_nothing_for_a_second_asking(
    door: Door, watch: Watch, everything: Key
) -> None:
    """A file is not kept, so whether a second one is the same is not known: it says so."""
    answer = door.upload(everything, "image/png", png(), headers=[("Idempotency-Key", "order-1")])

    assert answer.verdict == (400, 100, None, "malformed")
    assert "Idempotency-Key is not offered" in str(answer.error)
    assert watch.ledger() == []


class _SeesNothing:
    def __init__(self, _: Any) -> None: ...

    def see(self, _: bytes) -> None: ...

    def at_end(self) -> None: ...


@pytest.mark.parametrize("what", [*AT_ONCE, *LATER])
def test_g23_control_without_a_look_at_the_file_it_is_seen_to_reach_meta(
    door: Door, watch: Watch, everything: Key, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(uploads, "agrees", lambda *_: True)
    monkeypatch.setattr(uploads, "Inspector", _SeesNothing)
    mime, data = (AT_ONCE | LATER)[what]

    door.upload(everything, mime, data)

    [arrived] = watch.ledger()
    assert data in body_of(arrived)
