"""Files that may be uploaded: Meta's types and sizes per kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from portero.graphapi.operation import Call, Operation, UploadedFile
from portero.graphapi.refusals import malformed

_KB: Final = 1024
_MB: Final = 1024 * _KB


@dataclass(frozen=True, slots=True)
class MediaLimit:
    """The kind of media a MIME type is, and its size limit in bytes."""

    kind: str
    max_bytes: int


def _limits(kind: str, max_bytes: int, *types: str) -> dict[str, MediaLimit]:
    return {name: MediaLimit(kind, max_bytes) for name in types}


# Meta's table of supported media types, November 2025.
MEDIA_LIMITS: Final[Mapping[str, MediaLimit]] = MappingProxyType(
    {
        **_limits(
            "audio", 16 * _MB, "audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"
        ),
        **_limits(
            "document",
            100 * _MB,
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ),
        **_limits("image", 5 * _MB, "image/jpeg", "image/png"),
        **_limits("video", 16 * _MB, "video/mp4", "video/3gpp"),
        **_limits("sticker", 500 * _KB, "image/webp"),  # 100 KB when it does not move
    }
)
_JSON_ASSET: Final = MappingProxyType({"application/json": MediaLimit("flow_json", 10 * _MB)})
_GROUP_PICTURE: Final = MappingProxyType({"image/jpeg": MediaLimit("group_picture", 5 * _MB)})

# By operation: the name of the file's field, and what it may hold.
_FILES: Final[Mapping[str, tuple[str, Mapping[str, MediaLimit]]]] = MappingProxyType(
    {
        "upload_media": ("file", MEDIA_LIMITS),
        "upload_flow_json": ("file", _JSON_ASSET),
        "update_group": ("profile_picture_file", _GROUP_PICTURE),
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
    field, limits = _FILES[operation.name]
    if file.field != field:
        raise malformed(f"The file must be in the field '{field}'.")
    if bare_type(file.type) not in limits:
        raise malformed(f"Files of type '{file.type[:80]}' are not taken here.")
    if isinstance(said, str) and "/" in said and bare_type(said) != bare_type(file.type):
        raise malformed("The field 'type' says another type than the file.")


def limit_for(call: Call) -> MediaLimit | None:
    """The limit for the file of a call; None when it has no file."""
    if call.file is None:
        return None
    _, limits = _FILES[call.operation.name]
    return limits[bare_type(call.file.type)]


def bare_type(mime_type: str) -> str:
    """A MIME type in lower case without its parameters."""
    return mime_type.partition(";")[0].strip().lower()
