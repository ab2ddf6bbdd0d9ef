"""Media: upload, read, download within five minutes, delete; and resumable uploads."""

import hashlib
import hmac
import secrets

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call, Reply
from portero.sandbox.graph import authentication
from portero.sandbox.graph.errors import unknown_object
from portero.sandbox.objects import App, Json, Media, Number, Upload
from portero.sandbox.reading import required
from portero.sandbox.world import World

DOWNLOAD_PATH = ("whatsapp_business", "attachments")
LINK_LIFE_S = 300

_MB = 1024 * 1024
_OFFICE = "application/vnd.openxmlformats-officedocument."
_LIMITS: dict[str, int] = {
    **dict.fromkeys(("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), 16 * _MB),
    **dict.fromkeys(("image/jpeg", "image/png"), 5 * _MB),
    **dict.fromkeys(("video/mp4", "video/3gpp"), 16 * _MB),
    "image/webp": 500 * 1024,
    **dict.fromkeys(
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            f"{_OFFICE}wordprocessingml.document",
            f"{_OFFICE}spreadsheetml.sheet",
            f"{_OFFICE}presentationml.presentation",
        ),
        100 * _MB,
    ),
}
_UPLOAD_TYPES = ("application/pdf", "image/jpeg", "image/jpg", "image/png", "video/mp4")


def upload(call: Call, number: Number) -> Json:
    """`file` with its content type, `messaging_product=whatsapp`; `type` may name the MIME type."""
    call.request.need_whatsapp()
    file = call.request.files.get("file")
    if file is None:
        raise required("file")
    declared = call.request.text("type")
    mime_type = declared if file.content_type == "application/octet-stream" else file.content_type
    _check_file(mime_type or file.content_type, len(file.content))
    media = Media(
        id=call.world.new_id(),
        number_id=number.id,
        mime_type=mime_type or file.content_type,
        content=file.content,
        created_at=call.now,
    )
    call.world.keep_media(media)
    return {"id": media.id}


def _check_file(mime_type: str, size: int) -> None:
    limit = _LIMITS.get(mime_type.partition(";")[0].strip().lower())
    if limit is None:
        message = (
            f"(#100) Param file must be a file with one of the following types: "
            f"{', '.join(_LIMITS)}. Received file of type '{mime_type}'."
        )
        raise meta_error(100, message=message)
    if size > limit:
        details = f"The file has {size} bytes; {mime_type} may have {limit}"
        raise meta_error(131053, details=details)


def read_media(call: Call, media: Media) -> Json:
    """Where the bytes are for the next five minutes."""
    _check_alive(call, media)
    expires = int(call.now) + LINK_LIFE_S
    proof = _link_proof(call.world, media.id, expires)
    path = "/".join(DOWNLOAD_PATH)
    return {
        "messaging_product": "whatsapp",
        "url": f"{call.request.base_url}/{path}/?mid={media.id}&ext={expires}&hash={proof}",
        "mime_type": media.mime_type,
        "sha256": hashlib.sha256(media.content).hexdigest(),
        "file_size": len(media.content),
        "id": media.id,
    }


def delete_media(call: Call, media: Media) -> Json:
    _check_alive(call, media)
    call.world.forget_media(media.id)
    return SUCCESS


def download(call: Call) -> Reply:
    """The bytes, for a bearer token or for the link's own proof; 404 once the link is old."""
    request = call.request
    media_id, proof = request.needed("mid"), request.text("hash") or ""
    expires = request.number("ext", 0)
    if request.token is not None:
        authentication.authenticate(call.world, request)
    media = call.world.living_media(media_id)
    expected = _link_proof(call.world, media_id, expires)
    if media is None or expires < call.now or not authentication.is_secret(proof, expected):
        return Reply(b"", 404, "text/plain")
    return Reply(media.content, 200, media.mime_type)


def _link_proof(world: World, media_id: str, expires: int) -> str:
    secret = world.app.secret.encode()
    return hmac.new(secret, f"{media_id}:{expires}".encode(), hashlib.sha256).hexdigest()


def _check_alive(call: Call, media: Media) -> None:
    """Gone by age, or asked for in the name of another number."""
    number_id = call.request.text("phone_number_id")
    foreign = number_id is not None and number_id != media.number_id
    if foreign or call.world.living_media(media.id) is None:
        raise unknown_object(call.request.method, media.id)


def start_upload(call: Call, _app: App) -> Json:
    """A resumable session for a template example or profile picture."""
    request = call.request
    file_type = request.needed("file_type")
    if file_type not in _UPLOAD_TYPES:
        raise meta_error(100, details=f"Param file_type must be one of {', '.join(_UPLOAD_TYPES)}")
    file_length = request.number("file_length", 0)
    if file_length < 1:
        raise meta_error(100, details="Param file_length must be the size of the file in bytes")
    session = Upload(f"upload:MTphdHRhY2htZW50{secrets.token_hex(8)}", file_length)
    call.world.uploads[session.id] = session
    return {"id": f"{session.id}?sig={secrets.token_urlsafe(12)}"}


def read_upload(call: Call) -> Json:
    session = _session(call)
    return {"id": session.id, "file_offset": session.received}


def continue_upload(call: Call) -> Json:
    """Raw bytes at `file_offset`; the handle once all announced bytes are there."""
    session = _session(call)
    if session.received >= session.file_length:
        raise meta_error(100, details="All announced bytes are there")
    offset = call.request.headers.get("file_offset", "0")
    if offset != str(session.received):
        raise meta_error(100, details=f"file_offset must be {session.received}")
    session.received += len(call.request.body)
    if session.received < session.file_length:
        return {"id": session.id, "file_offset": session.received}
    handle = f"4::aW{secrets.token_urlsafe(24)}"
    call.world.handles[handle] = session.id
    return {"h": handle}


def _session(call: Call) -> Upload:
    session_id = call.request.segments[0]
    session = call.world.uploads.get(session_id)
    if session is None:
        raise unknown_object(call.request.method, session_id)
    return session
