"""G23 and the upload's way through: what the form may say, what goes on, how little is held."""

from __future__ import annotations

import asyncio
import io
import resource
import tracemalloc
import zipfile
from collections.abc import AsyncIterator

import pytest

from gateway.media_samples import (
    TYPES,
    WORD,
    office,
    png,
    webp,
)
from gateway.scripted import run
from portero.gateway.uploads import MultipartUpload, UploadError, build_multipart
from portero.gateway.upstream import Origin, Upstream, UpstreamRequest

# The form

Part = tuple[bytes, bytes]
PRODUCT: Part = (b'Content-Disposition: form-data; name="messaging_product"', b"whatsapp")
FORM = b"multipart/form-data; boundary=b"


def field(name: str, value: str) -> Part:
    return f'Content-Disposition: form-data; name="{name}"'.encode(), value.encode()


def a_file(content: bytes, mime: str = "image/png", name: str = "photo.png") -> Part:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {mime}'
    return head.encode(), content


def form(*parts: Part, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + head + b"\r\n\r\n" + body + b"\r\n" for head, body in parts) + end


async def pieces_of(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)


async def take_in(
    body: bytes, content_type: bytes = FORM, size: int = 65536
) -> tuple[MultipartUpload, bytes]:
    upload = MultipartUpload(content_type, pieces_of(body, size))
    await upload.open()
    content = b"".join([chunk async for chunk in upload.chunks()])
    return upload, content


ORDERS = {
    "requests and httpx: fields first": [PRODUCT, field("type", "image/png"), a_file(png())],
    "heyoo: the file first": [a_file(png()), PRODUCT, field("type", "image/png")],
    "pywa: in between": [
        PRODUCT,
        a_file(png()),
        field("type", "image/png"),
        field("ttl_minutes", "60"),
    ],
    "the type only on the part": [PRODUCT, a_file(png())],
    "the type only as a field": [
        PRODUCT,
        field("type", "image/png"),
        a_file(png(), "application/octet-stream"),
    ],
    "parameters behind the types": [
        field("type", "image/png; x=y"),
        a_file(png(), "image/PNG;a=b"),
    ],
}


@pytest.mark.parametrize("size", [1, 17, 65536])
@pytest.mark.parametrize("order", ORDERS)
def test_an_upload_is_read_in_any_order_and_any_pieces(order: str, size: int) -> None:
    async def test() -> None:
        parts = ORDERS[order]
        upload, content = await take_in(form(*parts), size=size)

        assert content == png()
        wanted = {
            head.split(b'"')[1].decode(): body.decode()
            for head, body in parts
            if b"filename" not in head
        }
        assert upload.fields == wanted

    run(test)


def test_what_is_known_before_the_file_is_known_when_it_opens() -> None:
    async def test() -> None:
        body = form(PRODUCT, a_file(png(), name="../../etc/passwd"), field("ttl_minutes", "60"))
        upload = MultipartUpload(FORM, pieces_of(body, 100))
        file = await upload.open()

        assert file.media.mime == "image/png"
        assert file.safe_name == "upload.png"
        assert upload.fields == {"messaging_product": "whatsapp"}

        async for _ in upload.chunks():
            pass
        assert upload.fields == {"messaging_product": "whatsapp", "ttl_minutes": "60"}

    run(test)


REFUSED: dict[str, tuple[str, bytes]] = {
    "no file": ("no_file", form(PRODUCT)),
    "nothing": ("no_file", b"--b--\r\n"),
    "a file part without a name": (
        "unknown_field",
        form((b'Content-Disposition: form-data; name="file"', b"x")),
    ),
    "a file under another name": (
        "unknown_field",
        form(
            (b'Content-Disposition: form-data; name="type"; filename="x"', b"image/png"),
            a_file(png()),
        ),
    ),
    "two files": ("several_files", form(a_file(png()), a_file(png()))),
    "an unknown field": ("unknown_field", form(field("access_token", "x"), a_file(png()))),
    "an unknown field behind": ("unknown_field", form(a_file(png()), field("access_token", "x"))),
    "a field twice": ("duplicate_field", form(PRODUCT, PRODUCT, a_file(png()))),
    "a field before and behind": ("duplicate_field", form(PRODUCT, a_file(png()), PRODUCT)),
    "a long field": ("field_too_large", form(field("type", "x" * 1025), a_file(png()))),
    "a field with a line break": ("malformed", form(field("type", "a\r\nb"), a_file(png()))),
    "a field in another script": ("malformed", form(field("ttl_minutes", "٦٠"), a_file(png()))),
    "no type": ("type_missing", form(a_file(png(), "application/octet-stream"))),
    "a type Meta does not take": ("type_not_accepted", form(a_file(png(), "image/gif"))),
    "SVG": ("type_not_accepted", form(a_file(b"<svg/>", "image/svg+xml"))),
    "HTML": ("type_not_accepted", form(a_file(b"<html>", "text/html"))),
    "types that disagree": (
        "type_mismatch",
        form(field("type", "image/jpeg"), a_file(png(), "image/png")),
    ),
    "types that disagree at the end": (
        "type_mismatch",
        form(a_file(png(), "image/png"), field("type", "image/jpeg")),
    ),
    "SVG in a picture's costume": ("type_mismatch", form(a_file(b"<svg onload=x>", "image/png"))),
    "an empty file": ("type_mismatch", form(a_file(b"", "image/png"))),
    "a bomb": ("too_many_pixels", form(a_file(png(60_000, 60_000)))),
    "an archive behind": ("polyglot", form(a_file(png() + bytes(9000) + office("a", "b")))),
    "another kind of office file": (
        "type_mismatch",
        form(a_file(office(TYPES, "xl/workbook.xml"), WORD)),
    ),
    "too large": ("too_large", form(a_file(png() + bytes(5 * 1024 * 1024)))),
    "a sticker too large": ("too_large", form(a_file(webp() + bytes(100 * 1024), "image/webp"))),
    "no end": ("malformed", form(a_file(png()), end=b"")),
    "no end of the file": ("malformed", form(a_file(png()))[:-12]),
    "something behind the end": ("malformed", form(a_file(png())) + b"GET / HTTP/1.1\r\n\r\n"),
    "a second form behind the end": ("malformed", form(a_file(png())) + form(PRODUCT)),
    "something behind empty lines": ("malformed", form(a_file(png())) + b"\r\n" * 60 + b"x"),
    "another boundary": ("malformed", form(a_file(png())).replace(b"--b", b"--c")),
    "no disposition": ("malformed", form((b"Content-Type: text/plain", b"x"))),
    "another disposition": (
        "malformed",
        form((b'Content-Disposition: attachment; name="type"', b"x")),
    ),
    "two dispositions": (
        "malformed",
        form((PRODUCT[0] + b'\r\nContent-Disposition: form-data; name="type"', b"x")),
    ),
    "two names": (
        "malformed",
        form((b'Content-Disposition: form-data; name="type"; name="messaging_product"', b"x")),
    ),
    "a name with a quote": (
        "malformed",
        form((b'Content-Disposition: form-data; name="a\\"b"', b"x")),
    ),
    "a name with a path": (
        "malformed",
        form((b'Content-Disposition: form-data; name="a/b"', b"x")),
    ),
    "an encoded part": (
        "malformed",
        form(
            (PRODUCT[0] + b"\r\nContent-Transfer-Encoding: base64", b"d2hhdHNhcHA="), a_file(png())
        ),
    ),
    "an unknown header": (
        "malformed",
        form((PRODUCT[0] + b"\r\nX-Evil: 1", b"whatsapp"), a_file(png())),
    ),
    "a bare line feed in a header": (
        "malformed",
        form((PRODUCT[0] + b"\nX-Evil: 1", b"whatsapp"), a_file(png())),
    ),
    "a folded header": (
        "malformed",
        form((PRODUCT[0] + b"\r\n folded", b"whatsapp"), a_file(png())),
    ),
    "a long header": ("malformed", form((PRODUCT[0] + b"; x=" + b"y" * 5000, b"whatsapp"))),
    "many headers": ("malformed", form((PRODUCT[0] + b"\r\nContent-Type: x" * 9, b"whatsapp"))),
}


@pytest.mark.parametrize("size", [1, 65536])
@pytest.mark.parametrize("case", REFUSED)
def test_g23_a_form_that_is_not_one_file_and_its_fields_is_refused(case: str, size: int) -> None:
    code, body = REFUSED[case]
    size = size if len(body) < 20_000 else 65536  # large ones bytewise would only take time

    async def test() -> None:
        with pytest.raises(UploadError) as caught:
            await take_in(body, size=size)

        assert caught.value.code == code

    run(test)


@pytest.mark.parametrize(
    "content_type",
    [
        b"",
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=b; boundary=c",
        b"multipart/form-data; charset=utf-8; boundary=b",
        b'multipart/form-data; boundary="b',
        b"multipart/form-data; boundary=b c",
        b"multipart/form-data; boundary=" + b"b" * 71,
        b"multipart/mixed; boundary=b",
        b"application/json",
        b"multipart/form-data; boundary=b\r\nX: y",
    ],
)
def test_a_content_type_that_does_not_name_one_boundary_is_refused(content_type: bytes) -> None:
    with pytest.raises(UploadError, match="malformed"):
        MultipartUpload(content_type, pieces_of(b""))


@pytest.mark.parametrize(
    "content_type",
    [b'multipart/form-data; boundary="b"', b"Multipart/Form-Data;boundary=b", FORM + b";"],
)
def test_a_content_type_may_be_written_in_several_ways(content_type: bytes) -> None:
    async def test() -> None:
        _, content = await take_in(form(a_file(png())), content_type)

        assert content == png()

    run(test)


# The body as it goes on


@pytest.mark.parametrize("name", ["a\r\nX: y.png", 'a".png', "x\0.png", "a\\"])
def test_g23_a_file_name_that_breaks_its_header_is_refused(name: str) -> None:
    async def test() -> None:
        with pytest.raises(UploadError, match="malformed"):
            await take_in(form(PRODUCT, a_file(png(), name=name)))

    run(test)


@pytest.mark.parametrize(
    "name", ["../../x.png", "C:\\x.png", "ñ.png", "a;b.png", 'a\\".png', "x.php", "a" * 200]
)
def test_g23_the_callers_file_name_never_goes_on(name: str) -> None:
    async def test() -> None:
        body = form(PRODUCT, a_file(png(), name=name))
        upload = MultipartUpload(FORM, pieces_of(body))
        file = await upload.open()
        out = build_multipart(
            fields=[("messaging_product", "whatsapp"), ("type", "image/png")],
            file_name=file.safe_name,
            file_type=file.media.mime,
            chunks=upload.chunks(),
            boundary="new",
        )
        written = b"".join([chunk async for chunk in out])

        assert written == (
            b'--new\r\nContent-Disposition: form-data; name="messaging_product"\r\n\r\nwhatsapp\r\n'
            b'--new\r\nContent-Disposition: form-data; name="type"\r\n\r\nimage/png\r\n'
            b'--new\r\nContent-Disposition: form-data; name="file"; filename="upload.png"\r\n'
            b"Content-Type: image/png\r\n\r\n" + png() + b"\r\n--new--\r\n"
        )

    run(test)


@pytest.mark.parametrize("bad", ['a"b', "a\r\nb", "ñ", ""])
def test_a_name_that_could_break_out_of_its_quotes_is_not_written(bad: str) -> None:
    async def test() -> None:
        for changed in (
            {"file_name": bad},
            {"file_type": bad},
            {"boundary": bad},
            {"fields": [(bad, "x")]},
        ):
            given = {"fields": [], "file_name": "a", "file_type": "b/c", "boundary": "d"} | changed
            out = build_multipart(chunks=pieces_of(b""), **given)  # type: ignore[arg-type]  # mixed on purpose
            with pytest.raises(ValueError, match=r".*"):
                await anext(out)

    run(test)


async def a_pdf_form(size: int, *behind: Part) -> AsyncIterator[bytes]:
    yield b"--b\r\n" + a_file(b"", "application/pdf")[0] + b"\r\n\r\n%PDF-1.7\n"
    block = b"%" + bytes(65535)
    for _ in range(size // len(block)):
        yield block
    yield b"\r\n" + form(*behind)


class Sink:
    """A server that counts what it is sent and tells whether the chunked body was ended."""

    def __init__(self) -> None:
        self.received = 0
        self.end = b""
        self.closed = asyncio.Event()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(262_144):
                self.received += len(chunk)
                self.end = (self.end + chunk)[-5:]
                if self.end == b"0\r\n\r\n":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except ConnectionError:
            pass
        self.closed.set()
        writer.close()


async def pass_through(source: AsyncIterator[bytes], sink: Sink) -> int:
    listener = await asyncio.start_server(sink.talk, "127.0.0.1", 0)
    origin = Origin("http", "127.0.0.1", listener.sockets[0].getsockname()[1])
    upstream = Upstream([origin])
    try:
        upload = MultipartUpload(FORM, source)
        file = await upload.open()
        body = build_multipart(
            fields=[("messaging_product", "whatsapp")],
            file_name=file.safe_name,
            file_type=file.media.mime,
            chunks=upload.chunks(),
            boundary="new",
        )
        request = UpstreamRequest("POST", origin, "/media", [], body)
        return (await upstream.send(request, before_first_byte=lambda: None)).status
    finally:
        await upstream.close()
        await sink.closed.wait()
        listener.close()


def test_a_document_of_100_mb_goes_through_in_little_memory() -> None:
    size = 99 * 1024 * 1024

    async def test() -> None:
        sink = Sink()
        tracemalloc.start()
        peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        status = await pass_through(a_pdf_form(size), sink)
        _, traced = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before

        assert status == 200
        assert sink.received > size
        assert traced < 20 * 1024 * 1024
        assert grown < 20 * 1024  # kilobytes; includes what uvloop and the kernel's copies hold

    run(test)


@pytest.mark.parametrize(
    ("behind", "code"),
    [
        ([field("type", "image/png")], "type_mismatch"),
        ([field("evil", "x")], "unknown_field"),
        ([a_file(png())], "several_files"),
    ],
)
def test_g23_a_last_word_that_disagrees_leaves_the_outgoing_body_without_its_end(
    behind: list[Part], code: str
) -> None:
    async def test() -> None:
        sink = Sink()
        with pytest.raises(UploadError, match=code):
            await pass_through(a_pdf_form(1_000_000, *behind), sink)

        assert sink.received > 900_000
        assert sink.end != b"0\r\n\r\n"

    run(test)


def test_a_document_over_its_limit_is_cut_off_on_the_way() -> None:
    async def test() -> None:
        sink = Sink()
        with pytest.raises(UploadError, match="too_large"):
            await pass_through(a_pdf_form(102 * 1024 * 1024), sink)

        assert sink.received < 101 * 1024 * 1024
        assert sink.end != b"0\r\n\r\n"

    run(test)


def test_x07_a_compressed_document_is_passed_on_and_never_unpacked() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(TYPES, "x")
        archive.writestr("word/document.xml", bytes(50_000_000))
        archive.writestr("../../../etc/passwd", "x")

    async def test() -> None:
        tracemalloc.start()
        _, content = await take_in(form(a_file(bomb.getvalue(), WORD)))
        _, traced = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert content == bomb.getvalue()
        assert traced < 5_000_000

    run(test)
