"""The smallest files that their own programs would open, or at least their heads."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib


def png(width: int = 512, height: int = 512) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def jpeg(width: int = 640, height: int = 480, *, before: bytes = b"") -> bytes:
    frame = b"\xff\xc0\x00\x0b\x08" + struct.pack(">HH", height, width) + b"\x01\x01\x11\x00"
    app0 = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    return b"\xff\xd8" + app0 + before + frame + b"\xff\xda\x00\x08\x01\x01\0\0?\0\x12\x34\xff\xd9"


def segment(marker: int, size: int) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", size + 2) + b"e" * size


def webp(
    form: bytes = b"VP8X", *, width: int = 512, height: int = 512, animated: bool = False
) -> bytes:
    body = {
        b"VP8X": bytes([0x02 if animated else 0, 0, 0, 0])
        + (width - 1).to_bytes(3, "little")
        + (height - 1).to_bytes(3, "little"),
        b"VP8L": b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(5),
        b"VP8 ": b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", width, height),
    }[form]
    content = b"WEBP" + form + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(content)) + content


def mp4(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\x02\0isomiso2" + b"\0\0\0\x08free" + bytes(200)


def ogg(codec: bytes = b"OpusHead") -> bytes:
    return b"OggS\0\x02" + bytes(20) + b"\x01\x13" + codec + b"\x01\x01" + bytes(60)


def ole(*names: str) -> bytes:
    entries = b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in names)
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000) + entries


def office(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "<x/>" * 500)
    return made.getvalue()


TYPES = "[Content_Types].xml"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SLIDES = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

GENUINE: dict[str, list[bytes]] = {
    "audio/aac": [b"\xff\xf1\x50\x80\x01\x7f\xfc" + bytes(99), b"\xff\xf9\x50\x80" + bytes(99)],
    "audio/amr": [b"#!AMR\n\x3c" + bytes(99), b"#!AMR-WB\n" + bytes(99)],
    "audio/mpeg": [b"\xff\xfb\x90\x64" + bytes(99), b"ID3\x04\0\0" + bytes(99)],
    "audio/mp4": [mp4(b"M4A "), mp4(b"mp42")],
    "audio/ogg": [ogg()],
    "text/plain": [b"hola", "mañana\r\n\t€".encode(), b"\xef\xbb\xbfhola", "ñ".encode("latin-1")],
    "application/pdf": [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"],
    "application/msword": [ole("Root Entry", "WordDocument")],
    "application/vnd.ms-excel": [ole("Workbook"), ole("Root Entry", "Book")],
    "application/vnd.ms-powerpoint": [ole("PowerPoint Document")],
    WORD: [office(TYPES, "_rels/.rels", "word/document.xml")],
    SHEET: [office("_rels/.rels", TYPES, "xl/workbook.xml")],
    SLIDES: [office(TYPES, "ppt/presentation.xml")],
    "image/jpeg": [
        jpeg(),
        jpeg(before=segment(0xE1, 60_000) + segment(0xE2, 60_000) + b"\xff\xff"),
        jpeg() + mp4(b"mp42"),  # a telephone's moving photo
    ],
    "image/png": [png()],
    "video/mp4": [mp4(b"isom"), mp4(b"mp42"), mp4(b"avc1")],
    "video/3gpp": [mp4(b"3gp4"), mp4(b"3gp5")],
    "image/webp": [webp(b"VP8X"), webp(b"VP8L"), webp(b"VP8 "), webp(animated=True)],
}

NOTHING_WE_TAKE = {
    "GIF": b"GIF89a" + bytes(50),
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "SVG behind XML": b'<?xml version="1.0"?>\n<svg onload="alert(1)"/>',
    "SVG behind a byte order mark": b"\xef\xbb\xbf  <svg onload=alert(1)>",
    "HTML": b"<!DOCTYPE html><script>alert(1)</script>",
    "HTML behind blanks": b"\n\n  <html>",
    "PHP": b"<?php system($_GET[0]); ?>",
    "BMP": b"BM" + bytes(50),
    "TIFF": b"II*\0" + bytes(50),
    "HEIC": mp4(b"heic"),
    "QuickTime": mp4(b"qt  "),
    "3GPP2": mp4(b"3g2a"),
    "Vorbis": ogg(b"\x01vorbis"),
    "WAV": b"RIFF\x24\0\0\0WAVEfmt " + bytes(50),
    "WebM": b"\x1a\x45\xdf\xa3" + bytes(50),
    "gzip": b"\x1f\x8b\x08" + bytes(50),
    "RAR": b"Rar!\x1a\x07\x01\0" + bytes(50),
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(50),
    "an .exe": b"MZ\x90\0\x03" + bytes(50),
    "a class": b"\xca\xfe\xba\xbe" + bytes(50),
    "UTF-16": "hola".encode("utf-16"),
    "empty": b"",
    "one byte of MPEG": b"\xff",
}
