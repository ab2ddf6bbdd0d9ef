"""What a file really is, against what it is said to be, for exactly the media Meta takes.

Nothing here is decoded or unpacked; signatures, headers and names are enough to tell a file from its
costume (abuse case G23), and what is never unpacked cannot burst.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from portero.graphapi.media import ACCEPTED, FLOW_JSON, MediaType

HEAD_BYTES = 4096  # as much of a file as the checks of its head want to see

_KNOWN: Mapping[str, MediaType] = {**ACCEPTED, FLOW_JSON.mime: FLOW_JSON}
_STATIC_STICKER_BYTES = 100 * 1024

# Containers whose head does not say which of several types is inside.
_OLE = "application/x-ole-storage"
_ZIP = "application/zip"
_OFFICE = frozenset({"docx", "xlsx", "pptx"})
_CONTAINED: Mapping[str, frozenset[str]] = {
    _OLE: frozenset(m for m, t in ACCEPTED.items() if t.extension in {"doc", "xls", "ppt"}),
    _ZIP: frozenset(m for m, t in ACCEPTED.items() if t.extension in _OFFICE),
    "text/plain": frozenset({FLOW_JSON.mime}),  # what is inside, Meta validates
    "video/mp4": frozenset({"audio/mp4"}),  # audio alone is often written with a video brand
}

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
    (b"%PDF-", "application/pdf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OLE),
    (b"PK\x03\x04", _ZIP),
    (b"#!AMR\n", "audio/amr"),
    (b"#!AMR-WB\n", "audio/amr"),
    (b"ID3\x02", "audio/mpeg"),
    (b"ID3\x03", "audio/mpeg"),
    (b"ID3\x04", "audio/mpeg"),
)
_MP4_BRAND = re.compile(rb"isom|iso[2-9]|mp4[12]|avc1|M4V |MSNV|dash")
_3GP_BRAND = re.compile(rb"3g[pgers][1-9]")
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:[!?a-z])", re.IGNORECASE)
_NOT_TEXT = bytes(set(range(0x20)) - set(b"\t\n\f\r\x1b")) + b"\x7f"

# What must not stand in the head of a picture, a sound or a film: it would be two files in one.
_SECOND_FILE = re.compile(
    rb"<(?:script|html|svg|body|iframe|!doctype|\?php)|%PDF-|PK\x03\x04", re.IGNORECASE
)
_ZIP_END = b"PK\x05\x06\0\0\0\0"  # an archive may hide behind any file: it is found from its end

_MAX_SIDE = 12_000
_MAX_PIXELS = 50_000_000


def sniff(head: bytes) -> str | None:
    """Return the type a file's first bytes show, None for what is not on Meta's list.

    Office files give their container's type, `application/x-ole-storage` or `application/zip`.
    """
    for signature, mime in _SIGNATURES:
        if head.startswith(signature):
            return mime
    if head[:4] == b"RIFF" and head[8:15] == b"WEBPVP8":
        return "image/webp"
    if head[:4] == b"OggS":
        return "audio/ogg" if head[28:36] == b"OpusHead" else None
    if head[4:8] == b"ftyp":
        return _brand(head[8:12])
    if head[:1] == b"\xff":
        return _audio_frame(head)
    return "text/plain" if head and _is_text(head) and not _MARKUP.match(head) else None


def _brand(brand: bytes) -> str | None:
    if brand in {b"M4A ", b"M4B "}:
        return "audio/mp4"
    if _3GP_BRAND.fullmatch(brand):
        return "video/3gpp"
    return "video/mp4" if _MP4_BRAND.fullmatch(brand) else None


def _audio_frame(head: bytes) -> str | None:
    """ADTS (layer bits 0) or MPEG layer III, with a bit rate and a sampling rate that exist."""
    if len(head) < 4:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac" if (head[2] >> 2) & 0xF < 13 else None
    is_layer_3 = head[1] & 0xE6 == 0xE2
    return "audio/mpeg" if is_layer_3 and head[2] >> 4 != 0xF and head[2] & 0xC != 0xC else None


def _is_text(data: bytes) -> bool:
    return len(data.translate(None, _NOT_TEXT)) == len(data)


def agrees(declared: str, head: bytes) -> bool:
    """Say whether the first bytes are of the declared type and of no second one."""
    found = sniff(head)
    media = _KNOWN.get(declared)
    if media is None or found is None:
        return False
    if found != declared and declared not in _CONTAINED.get(found, ()):
        return False
    return media.kind == "document" or _SECOND_FILE.search(head) is None


def size_limit(media: MediaType, head: bytes) -> int:
    """Return the most bytes Meta takes of it; a sticker that does not move has less."""
    if media.kind == "sticker" and not (head[12:16] == b"VP8X" and head[20] & 0x02):
        return _STATIC_STICKER_BYTES
    return media.max_bytes


class Inspector:
    """Looks at a whole file as it passes, keeping next to nothing of it.

    The first piece holds at least the file's first 30 bytes. Both methods return None, or the code of
    what is wrong: `type_mismatch`, `polyglot`, `too_many_pixels`.
    """

    def __init__(self, media: MediaType) -> None:
        self._media = media
        self._find_size = _size_finder(media)
        self._missing = set(_PROOFS.get(media.extension, ()))
        self._tail = b""

    def see(self, piece: bytes) -> str | None:
        """Look at the next piece of the file."""
        if self._media.mime in {"text/plain", FLOW_JSON.mime}:
            return None if _is_text(piece) else "type_mismatch"
        window = self._tail + piece
        self._tail = window[-_OVERLAP:]
        self._missing = {proof for proof in self._missing if proof.search(window) is None}
        if self._media.kind == "document":
            has_macros = self._media.extension in _OFFICE and _MACROS in window
            return "type_mismatch" if has_macros else None
        return "polyglot" if _ZIP_END in window else self._too_many_pixels(piece)

    def at_end(self) -> str | None:
        """Say whether the whole file lacked something of what it claims to be."""
        return "type_mismatch" if self._missing or self._find_size is not None else None

    def _too_many_pixels(self, piece: bytes) -> str | None:
        size = self._find_size(piece) if self._find_size is not None else None
        if size is None:
            return None
        self._find_size = None
        width, height = size
        if not width or not height:
            return "type_mismatch"
        is_bomb = max(size) > _MAX_SIDE or width * height > _MAX_PIXELS
        return "too_many_pixels" if is_bomb else None


def _wide(text: str) -> re.Pattern[bytes]:
    return re.compile(re.escape(text.encode("utf-16-le")))


# Names that stand unpacked in the file's own directory.
_PROOFS: Mapping[str, tuple[re.Pattern[bytes], ...]] = {
    "doc": (_wide("WordDocument"),),
    "xls": (re.compile(_wide("Workbook").pattern + b"|" + _wide("Book").pattern),),
    "ppt": (_wide("PowerPoint Document"),),
    "docx": (re.compile(rb"\[Content_Types\]\.xml"), re.compile(rb"word/document\.xml")),
    "xlsx": (re.compile(rb"\[Content_Types\]\.xml"), re.compile(rb"xl/workbook\.(?:xml|bin)")),
    "pptx": (re.compile(rb"\[Content_Types\]\.xml"), re.compile(rb"ppt/presentation\.xml")),
}
_MACROS = b"vbaProject.bin"
_OVERLAP = 64  # more than the longest of these


# Width and height, from the header

Size = tuple[int, int]


def _size_finder(media: MediaType) -> Callable[[bytes], Size | None] | None:
    if media.mime == "image/jpeg":
        return _JpegWalk().feed
    return {"image/png": _png_size, "image/webp": _webp_size}.get(media.mime)


def _png_size(head: bytes) -> Size | None:
    if len(head) < 24:
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _webp_size(head: bytes) -> Size | None:
    """Of each of the three forms (RFC 9649, sections 2.5 to 2.7)."""
    if len(head) < 30:
        return None
    form = head[12:16]
    if form == b"VP8X":
        width, height = head[24:27], head[27:30]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if form == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 ":
        width, height = head[26:28], head[28:30]
        return (
            int.from_bytes(width, "little") & 0x3FFF,
            int.from_bytes(height, "little") & 0x3FFF,
        )
    return None


class _JpegWalk:
    """Walks a JPEG's segments to its frame header, which may come after much else."""

    def __init__(self) -> None:
        self._rest = b""  # of the last piece, too short to be read
        self._skip = 2  # bytes to the next segment; at first the start of image
        self._segments = 0

    def feed(self, piece: bytes) -> Size | None:
        """Return the size once the frame header is here; (0, 0) if there will be none."""
        data = self._rest + piece
        at = self._skip
        while at + 9 <= len(data):
            marker = data[at + 1]
            self._segments += 1
            if data[at] != 0xFF or marker in _NOT_BEFORE_FRAME or self._segments > _MAX_SEGMENTS:
                return 0, 0
            if marker in _FRAME_HEADERS:
                height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
                return int.from_bytes(width, "big"), int.from_bytes(height, "big")
            # 0xFF in a marker's place only fills.
            at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        self._skip = max(at - len(data), 0)
        self._rest = data[at:]
        return None


_MAX_SEGMENTS = 1000
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NOT_BEFORE_FRAME = frozenset({0x00, 0x01, *range(0xD0, 0xDB)})  # bare markers, start of scan, end
