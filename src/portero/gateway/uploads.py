"""One file with its few fields, as multipart/form-data: read strictly, streamed, written anew.

The file's type is settled from its first bytes, before anything leaves; the rest is looked at as it
passes. Fields may follow the file (one official client does that), so the last word comes at the end
of `chunks`: raising there leaves the outgoing body without its end.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError

from portero.gateway.sniff import HEAD_BYTES, Inspector, agrees, size_limit
from portero.graphapi.media import ACCEPTED, MediaType

_BOUNDARY = re.compile(
    rb"multipart/form-data[ \t]*;[ \t]*boundary=(\"?)([0-9A-Za-z'()+_,./:=?-]{1,70})\1[ \t]*;?",
    re.IGNORECASE,
)
_PARAMETER = rb";[ \t]*([A-Za-z]+\*?)=(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;\"]+))[ \t]*"
_PARAMETERS = re.compile(_PARAMETER)
_DISPOSITION = re.compile(rb"form-data[ \t]*((?:" + _PARAMETER + rb")+);?", re.IGNORECASE)
_FIELD_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PART_HEADERS = frozenset(
    b"content-disposition content-type content-length content-transfer-encoding".split()
)
_PLAIN_ENCODINGS = frozenset({b"binary", b"8bit", b"7bit"})
_UNTYPED = frozenset({"", "application/octet-stream"})
_SAFE_TOKEN = re.compile(r"[0-9A-Za-z._/+=; -]+")


_SENTENCES = {
    "malformed": "its form cannot be read in exactly one way, or does not end",
    "no_file": "there is no part for the file, which has a name and a filename",
    "several_files": "there is more than one file",
    "unknown_field": "the form has a field that is not taken here, or a value that has changed",
    "duplicate_field": "a field is there twice",
    "field_too_large": "a field is longer than 1,024 bytes",
    "type_missing": "nothing says the type of the file: give its part a Content-Type",
    "type_not_accepted": "Meta takes no file of that type here",
    "type_mismatch": "the file is not of the type that is said",
    "polyglot": "the file is two kinds of file at once",
    "too_many_pixels": "the picture has too many points",
    "too_large": "the file is larger than Meta takes of its kind",
}


class UploadError(Exception):
    """An upload that is refused. `code` is stable; `sentence` says what is wrong."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.sentence = _SENTENCES[code]


@dataclass(frozen=True, slots=True)
class UploadLimits:
    file_field: str = "file"
    fields: frozenset[str] = frozenset({"messaging_product", "type", "ttl_minutes"})
    types: Mapping[str, MediaType] = field(default_factory=lambda: ACCEPTED)
    field_bytes: int = 1024
    part_headers: int = 8
    part_header_bytes: int = 4096


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """What is known of the file once its first bytes are here. The caller's name is not kept."""

    media: MediaType
    head: bytes

    @property
    def safe_name(self) -> str:
        return f"upload.{self.media.extension}"


class MultipartUpload:
    """One upload: `open`, then `chunks` to its end. Raises UploadError, and what the body raises."""

    def __init__(
        self,
        content_type: bytes,
        body: AsyncIterable[bytes],
        *,
        limits: UploadLimits | None = None,
    ) -> None:
        self.fields: dict[str, str] = {}  # complete once `chunks` is exhausted
        self._limits = limits or UploadLimits()
        self._parts = _Parts(content_type, self._limits)
        self._pieces = aiter(body)
        self._file: UploadedFile | None = None
        self._part_is_over = True

    async def open(self) -> UploadedFile:
        """Read the fields before the file and the file's first bytes, and settle its type."""
        part = await self._fields_until_file()
        if part is None:
            raise UploadError("no_file")
        media = self._settle_type(part.content_type)
        head = await self._file_head()
        if not agrees(media.mime, head[:HEAD_BYTES]):
            raise UploadError("type_mismatch")
        self._file = UploadedFile(media, head)
        return self._file

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file, then read the fields behind it; raises before it ends if they disagree."""
        file = self._file
        assert file is not None, "open() comes first"  # noqa: S101 - a caller's mistake
        inspector = Inspector(file.media)
        left = size_limit(file.media, file.head)
        piece: bytes | None = file.head
        while piece is not None:
            left -= len(piece)
            _refuse_if("too_large" if left < 0 else inspector.see(piece))
            yield piece
            piece = await self._data()
        _refuse_if(inspector.at_end())
        if await self._fields_until_file() is not None:
            raise UploadError("several_files")
        if _essence(self.fields.get("type", file.media.mime)) != file.media.mime:
            raise UploadError("type_mismatch")
        async for rest in self._pieces:
            self._parts.feed(rest)

    async def _fields_until_file(self) -> _Part | None:
        """Collect fields; return the file's part when it begins, None at the end of the body."""
        while isinstance(part := await self._next(), _Part):
            self._part_is_over = False
            if part.is_file and part.name == self._limits.file_field:
                return part
            await self._collect(part)
        return None

    async def _collect(self, part: _Part) -> None:
        if part.name not in self._limits.fields or part.is_file:
            raise UploadError("unknown_field")
        if part.name in self.fields:
            raise UploadError("duplicate_field")
        value = b""
        while (piece := await self._data()) is not None:
            value += piece
            if len(value) > self._limits.field_bytes:
                raise UploadError("field_too_large")
        text = value.decode("latin-1")
        if not (text.isascii() and text.isprintable()):
            raise UploadError("malformed")
        self.fields[part.name] = text

    def _settle_type(self, of_part: str) -> MediaType:
        of_field = _essence(self.fields.get("type", ""))
        if of_field and of_part not in _UNTYPED and of_field != of_part:
            raise UploadError("type_mismatch")
        mime = of_field or of_part
        if mime in _UNTYPED:
            raise UploadError("type_missing")
        if mime not in self._limits.types:
            raise UploadError("type_not_accepted")
        return self._limits.types[mime]

    async def _file_head(self) -> bytes:
        head = b""
        while len(head) < HEAD_BYTES and (piece := await self._data()) is not None:
            head += piece
        return head

    async def _data(self) -> bytes | None:
        """The next bytes of the part being read; None once it is over."""
        if self._part_is_over:
            return None
        event = await self._next()
        if isinstance(event, bytes):
            return event
        self._part_is_over = True
        return None

    async def _next(self) -> _Event:
        while not self._parts.events:
            piece = await anext(self._pieces, None)
            if piece is None:
                raise UploadError("malformed")  # the closing boundary never came
            self._parts.feed(piece)
        return self._parts.events.popleft()


def _refuse_if(code: str | None) -> None:
    if code is not None:
        raise UploadError(code)


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


# What the parser finds


@dataclass(frozen=True, slots=True)
class _Part:
    """The headers of a part; its bytes follow."""

    name: str
    is_file: bool
    content_type: str


class _Mark(Enum):
    PART_END = auto()
    END = auto()


_Event = _Part | bytes | _Mark


class _Parts:
    """Turns pieces of a body into a queue of events."""

    def __init__(self, content_type: bytes, limits: UploadLimits) -> None:
        match = _BOUNDARY.fullmatch(content_type.strip())
        if match is None:
            raise UploadError("malformed")
        self.events: deque[_Event] = deque()
        self._delimiter = b"\r\n--" + match[2] + b"--"
        self._tail = b""
        self._is_over = False
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._parser = MultipartParser(
            match[2],
            {
                "on_part_begin": self._on_part_begin,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_end": self._on_end,
            },
            max_header_count=limits.part_headers,
            max_header_size=limits.part_header_bytes,
        )

    def feed(self, piece: bytes) -> None:
        """Parse the next piece of the body. Raises UploadError; nothing may follow the end."""
        window = self._tail + piece
        if not self._is_over:
            self._parse(piece)
            self._tail = window[-len(self._delimiter) :]
        if self._is_over:
            self._check_epilogue(window)
            self._tail = self._delimiter

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError:
            raise UploadError("malformed") from None

    def _check_epilogue(self, window: bytes) -> None:
        """The parser passes over what stands behind the closing delimiter in the same piece."""
        _, found, behind = window.partition(self._delimiter)
        if not found:  # a form without parts has no line break in front
            behind = window.removeprefix(self._delimiter[2:])
        if behind.strip(b"\r\n"):
            raise UploadError("malformed")

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        name, value = self._name.lower(), self._value.strip(b" \t")
        self._name = self._value = b""
        if name not in _PART_HEADERS or name in self._headers or _CONTROL.search(value):
            raise UploadError("malformed")
        self._headers[name] = value

    def _on_headers_finished(self) -> None:
        self.events.append(_part(self._headers))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.events.append(data[start:end])

    def _on_part_end(self) -> None:
        self.events.append(_Mark.PART_END)

    def _on_end(self) -> None:
        self._is_over = True
        self.events.append(_Mark.END)


def _part(headers: dict[bytes, bytes]) -> _Part:
    match = _DISPOSITION.fullmatch(headers.get(b"content-disposition", b""))
    encoding = headers.get(b"content-transfer-encoding", b"binary").lower()
    if match is None or encoding not in _PLAIN_ENCODINGS:
        raise UploadError("malformed")
    found = [(name.lower(), quoted or bare) for name, quoted, bare in _PARAMETERS.findall(match[1])]
    parameters = dict(found)
    name = parameters.get(b"name", b"").decode("latin-1")
    if len(parameters) != len(found) or _FIELD_NAME.fullmatch(name) is None:
        raise UploadError("malformed")
    is_file = b"filename" in parameters or b"filename*" in parameters
    return _Part(name, is_file, _essence(headers.get(b"content-type", b"").decode("latin-1")))


# The body as it goes on


async def build_multipart(
    *,
    fields: Sequence[tuple[str, str]],
    file_name: str,
    file_type: str,
    chunks: AsyncIterator[bytes],
    boundary: str,
) -> AsyncIterator[bytes]:
    """Write a body anew: the fields, then one file. What `chunks` raises leaves it without its end.

    Raises ValueError for a name, type or boundary that could break out of its quotes.
    """
    for token in (boundary, file_name, file_type, *(name for name, _ in fields)):
        if _SAFE_TOKEN.fullmatch(token) is None:
            raise ValueError(token)
    head = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    head.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
        f"Content-Type: {file_type}\r\n\r\n"
    )
    yield "".join(head).encode()
    async for chunk in chunks:
        yield chunk
    yield f"\r\n--{boundary}--\r\n".encode()
