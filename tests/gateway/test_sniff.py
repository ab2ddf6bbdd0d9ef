"""G23: what a file really is."""

from __future__ import annotations

import pytest

from gateway.media_samples import (
    GENUINE,
    NOTHING_WE_TAKE,
    SHEET,
    TYPES,
    WORD,
    jpeg,
    mp4,
    office,
    ole,
    png,
    segment,
    webp,
)
from portero.gateway.sniff import Inspector, agrees, size_limit, sniff
from portero.graphapi.media import ACCEPTED


@pytest.mark.parametrize("mime", ACCEPTED)
def test_g23_every_accepted_type_is_recognised(mime: str) -> None:
    for sample in GENUINE[mime]:
        inspector = Inspector(ACCEPTED[mime])

        assert agrees(mime, sample[:4096])
        assert inspector.see(sample) is None
        assert inspector.at_end() is None


@pytest.mark.parametrize("mime", ACCEPTED)
def test_g23_no_type_passes_for_another(mime: str) -> None:
    siblings = {("audio/mp4", "video/mp4")}  # the same container; Meta looks at the tracks
    for other, samples in GENUINE.items():
        if other == mime or (mime, other) in siblings:
            continue
        for sample in samples:
            if (other, mime) in siblings and sniff(sample) == "video/mp4":
                continue
            inspector = Inspector(ACCEPTED[mime])
            passes = agrees(mime, sample[:4096]) and not (
                inspector.see(sample) or inspector.at_end()
            )
            assert not passes, (mime, other)


@pytest.mark.parametrize("name", NOTHING_WE_TAKE)
def test_g23_what_meta_does_not_take_is_no_type_at_all(name: str) -> None:
    assert sniff(NOTHING_WE_TAKE[name]) is None
    for mime in ACCEPTED:
        assert not agrees(mime, NOTHING_WE_TAKE[name])


@pytest.mark.parametrize(
    ("mime", "head"),
    [
        ("image/jpeg", jpeg(before=b"\xff\xfe\x00\x20<script>alert(1)</script>      ")),
        ("image/png", png() + b"<svg onload=alert(1)>"),
        ("image/png", png() + b"<HTML>"),
        ("image/webp", webp() + b"<?php ?>"),
        ("image/jpeg", b"\xff\xd8\xff\xe0" + b"%PDF-1.4"),
        ("audio/mpeg", b"ID3\x03\0\0" + b"PK\x03\x04"),
        ("video/mp4", mp4(b"isom") + b"<!doctype html>"),
    ],
)
def test_g23_a_second_file_in_the_head_is_refused(mime: str, head: bytes) -> None:
    assert sniff(head) == mime
    assert not agrees(mime, head)


@pytest.mark.parametrize("cut", [1, 7, 50_000])
def test_g23_an_archive_behind_a_picture_is_found_wherever_the_pieces_are_cut(cut: int) -> None:
    archive = office("evil.js", "a/b")
    file = jpeg(before=segment(0xE1, 60_000)) + archive
    inspector = Inspector(ACCEPTED["image/jpeg"])
    pieces = [file[:50_000], *(file[i : i + cut] for i in range(50_000, len(file), cut))]

    assert "polyglot" in [inspector.see(one) for one in pieces]


@pytest.mark.parametrize(
    ("mime", "file", "code"),
    [
        ("image/png", png(12_001, 1), "too_many_pixels"),
        ("image/png", png(1, 12_001), "too_many_pixels"),
        ("image/png", png(8000, 7000), "too_many_pixels"),
        ("image/png", png(2**31, 2**31), "too_many_pixels"),
        ("image/png", png(0, 5), "type_mismatch"),
        ("image/png", png(12_000, 4_000), None),
        ("image/jpeg", jpeg(65_535, 65_535), "too_many_pixels"),
        ("image/jpeg", jpeg(9000, 9000, before=segment(0xE1, 60_000)), "too_many_pixels"),
        ("image/jpeg", jpeg(4000, 3000), None),
        ("image/jpeg", b"\xff\xd8\xff\xda" + bytes(50), "type_mismatch"),
        ("image/jpeg", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 5000, "type_mismatch"),
        ("image/jpeg", b"\xff\xd8" + b"\xff" * 50_000, "type_mismatch"),
        ("image/webp", webp(b"VP8X", width=16_384, height=16_384), "too_many_pixels"),
        ("image/webp", webp(b"VP8L", width=16_384, height=4), "too_many_pixels"),
        ("image/webp", webp(b"VP8 ", width=16_383, height=4), "too_many_pixels"),
    ],
)
def test_g23_a_pixel_bomb_is_refused_by_its_header(
    mime: str, file: bytes, code: str | None
) -> None:
    assert agrees(mime, file[:4096])
    assert Inspector(ACCEPTED[mime]).see(file) == code


@pytest.mark.parametrize("cut", [30, 31, 1000])
def test_g23_a_jpegs_size_is_found_wherever_the_pieces_are_cut(cut: int) -> None:
    file = jpeg(20_000, 10, before=segment(0xE1, 3000) + b"\xff" + segment(0xE2, 100))
    inspector = Inspector(ACCEPTED["image/jpeg"])

    found = [inspector.see(file[i : i + cut]) for i in range(0, len(file), cut)]
    assert "too_many_pixels" in found


@pytest.mark.parametrize(
    ("mime", "file"),
    [
        ("image/png", png()[:20]),
        ("image/jpeg", jpeg()[:24]),
        (WORD, office(TYPES, "xl/workbook.xml")),
        (WORD, office("evil.js")),
        (SHEET, office("xl/workbook.xml")),
        ("application/msword", ole("Workbook")),
        ("application/msword", ole("__nameid_version1.0")),
    ],
)
def test_g23_a_file_that_lacks_what_it_claims_is_refused_at_its_end(mime: str, file: bytes) -> None:
    inspector = Inspector(ACCEPTED[mime])

    assert inspector.see(file) is None
    assert inspector.at_end() == "type_mismatch"


def test_g23_macros_do_not_travel_as_a_plain_document() -> None:
    file = office(TYPES, "word/document.xml", "word/vbaProject.bin")

    assert Inspector(ACCEPTED[WORD]).see(file) == "type_mismatch"


def test_g23_text_stays_text_to_its_end() -> None:
    inspector = Inspector(ACCEPTED["text/plain"])

    assert inspector.see(b"hola") is None
    assert inspector.see(b"MZ\x90\0") == "type_mismatch"


def test_a_sticker_that_does_not_move_has_the_smaller_limit() -> None:
    sticker = ACCEPTED["image/webp"]

    assert size_limit(sticker, webp(b"VP8 ")) == 100 * 1024
    assert size_limit(sticker, webp(b"VP8X")) == 100 * 1024
    assert size_limit(sticker, webp(animated=True)) == 500 * 1024
    assert size_limit(ACCEPTED["image/png"], png()) == 5 * 1024 * 1024


def test_every_accepted_type_has_samples() -> None:
    assert set(GENUINE) == set(ACCEPTED)
