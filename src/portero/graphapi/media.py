"""Files that may be uploaded: Meta's types and sizes per kind, read from the form beside the file."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from portero.graphapi.kinds import Kind
from portero.graphapi.operation import Call, UploadedFile
from portero.graphapi.parse import RawCall, parse
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


def parse_media_upload(
    raw: RawCall,
    kinds: Mapping[str, Kind],
    fields: Mapping[str, str],
    file_type: str,
    file_name: str,
    *,
    file_field: str = "file",
) -> Call:
    """The call of a multipart request with one file, from its text fields and the file's own header.

    `file_type` is the MIME type in the file's part, `file_name` the name there; the call's `file`
    holds the type without parameters. The gateway still has to see that the bytes are of that type.

    Raises:
        GraphError: malformed: no operation that takes this file, a type that Meta does not take, or
            a `type` field that says another type than the file.
    """
    declared = _bare(file_type)
    call = parse(raw, kinds, fields=fields, file=UploadedFile(file_field, file_name, declared))
    field, limits = _FILES[call.operation.name]
    if file_field != field:
        raise malformed(f"The file must be in the field '{field}'.")
    if declared not in limits:
        raise malformed(f"Files of type '{declared[:80]}' are not taken here.")
    said = (call.body or {}).get("type")
    if isinstance(said, str) and "/" in said and _bare(said) != declared:
        raise malformed("The field 'type' says another type than the file.")
    return call


def limit_for(call: Call) -> MediaLimit:
    """The limit for the file of a call that `parse_media_upload` returned.

    Raises:
        KeyError: the call has no file.
    """
    _, limits = _FILES[call.operation.name]
    return limits[call.file.type if call.file is not None else ""]


def _bare(mime_type: str) -> str:
    return mime_type.partition(";")[0].strip().lower()
