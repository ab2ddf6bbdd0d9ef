"""Files that may be uploaded: Meta's types and sizes per kind.

Kinds, types and sizes: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media (read
2026-11).
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from portero.graphapi.operation import Operation, UploadedFile
from portero.graphapi.refusals import malformed

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True, slots=True)
class MediaType:
    """A MIME type that Meta takes: its kind of media, its size limit in bytes, its usual ending.

    Kinds are audio, document, image, video and sticker.
    """

    mime: str
    kind: str
    max_bytes: int
    extension: str


ACCEPTED: Final[Mapping[str, MediaType]] = MappingProxyType(
    {
        mime: MediaType(mime, kind, max_bytes, extension)
        for kind, max_bytes, types in (
            (
                "audio",
                16 * _MIB,
                {
                    "audio/aac": "aac",
                    "audio/amr": "amr",
                    "audio/mpeg": "mp3",
                    "audio/mp4": "m4a",
                    "audio/ogg": "ogg",
                },
            ),
            (
                "document",
                100 * _MIB,
                {
                    "text/plain": "txt",
                    "application/pdf": "pdf",
                    "application/msword": "doc",
                    "application/vnd.ms-excel": "xls",
                    "application/vnd.ms-powerpoint": "ppt",
                    f"{_OFFICE}.wordprocessingml.document": "docx",
                    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
                    f"{_OFFICE}.presentationml.presentation": "pptx",
                },
            ),
            ("image", 5 * _MIB, {"image/jpeg": "jpg", "image/png": "png"}),
            ("video", 16 * _MIB, {"video/mp4": "mp4", "video/3gpp": "3gp"}),
            ("sticker", 500 * _KIB, {"image/webp": "webp"}),  # 100 KiB when it does not move
        )
        for mime, extension in types.items()
    }
)
"""What media may be, by MIME type."""

FLOW_JSON: Final = MediaType("application/json", "document", 10 * _MIB, "json")
"""What a flow is uploaded as; it is no media and is taken nowhere else."""

# By operation: the name of the file's field, and what it may hold.
_FILES: Final[Mapping[str, tuple[str, Set[str]]]] = MappingProxyType(
    {
        "upload_media": ("file", ACCEPTED.keys()),
        "upload_flow_json": ("file", {FLOW_JSON.mime}),
        "update_group": ("profile_picture_file", {"image/jpeg"}),
    }
)


def check_file(operation: Operation, file: UploadedFile, said: object) -> None:
    """Refuse a file that the operation does not take.

    `said` is the value of the form's `type` field, which may name a MIME type or a kind of media.
    That the bytes are of the type is for the gateway to see.

    Raises:
        GraphError: malformed: no file is taken, another field holds it, Meta does not take its type,
            or the form says another type than the file's own header.
    """
    if operation.name not in _FILES:
        raise malformed("This operation takes no file.")
    field, types = _FILES[operation.name]
    if file.field != field:
        raise malformed(f"The file must be in the field '{field}'.")
    if bare_type(file.type) not in types:
        raise malformed(f"Files of type '{file.type[:80]}' are not taken here.")
    if isinstance(said, str) and "/" in said and bare_type(said) != bare_type(file.type):
        raise malformed("The field 'type' says another type than the file.")


def bare_type(mime_type: str) -> str:
    """A MIME type in lower case without its parameters."""
    return mime_type.partition(";")[0].strip().lower()
