"""The upload door: a file goes through in chunks, decided before its first byte, never held whole."""

import secrets
from collections.abc import AsyncIterator, Mapping

from portero.gateway.answering import may_of
from portero.gateway.attempt import Attempt, Caller, Refusal
from portero.gateway.body import BodyError, BodyLimits, BodyReader
from portero.gateway.forwarding import Answered, Multipart
from portero.gateway.graph import CallWay, subject_of
from portero.gateway.presented import presented_key
from portero.gateway.refusing import refuse
from portero.gateway.replies import Reply, error_reply
from portero.gateway.request import Request
from portero.gateway.understanding import Understood
from portero.gateway.uploads import (
    MultipartUpload,
    UploadedFile,
    UploadError,
    UploadLimits,
    build_multipart,
)
from portero.gateway.workspaces import WorkspaceState
from portero.graphapi.errors import GraphError
from portero.graphapi.media import ACCEPTED, FLOW_JSON
from portero.graphapi.operation import UploadedFile as FileFacts
from portero.graphapi.parse import RawCall
from portero.graphapi.refusals import malformed
from portero.store.ids import uuid7

MULTIPART = "multipart/form-data"
# The largest file Meta takes is 100 MB; what surrounds it in the body is small.
BODY_MAX = 105 * 1024 * 1024
_FLOW_JSON_FIELDS = {"name": "flow.json", "asset_type": "FLOW_JSON"}  # the one asset there is
_FLOW_ASSET = UploadLimits(
    fields=frozenset({*_FLOW_JSON_FIELDS, "messaging_product"}),
    types={FLOW_JSON.mime: FLOW_JSON},
)
_GROUP_PICTURE = UploadLimits(
    file_field="profile_picture_file",
    fields=frozenset({"messaging_product", "subject", "description"}),
    types={"image/jpeg": ACCEPTED["image/jpeg"]},
)


class UploadDoor:
    """Answers multipart requests."""

    def __init__(self, way: CallWay) -> None:
        self._way = way

    async def answer(self, request: Request) -> Reply:
        call_id = uuid7()
        try:
            presented = presented_key(authorization=request.authorization, query=request.query)
            found = await self._way.authenticator.authenticate(presented, address=request.address)
        except GraphError as error:
            return error_reply(error, str(call_id))
        caller, state = found.caller, found.state
        try:
            if found.refusal is not None:
                raise found.refusal
            if request.idempotency_key is not None:
                raise malformed("An Idempotency-Key is not offered for uploads: leave it out.")
            limits = _limits_for(request.path)
            upload, file = await _open(request, limits)
            understood = await self._understand(request, limits, upload, file, caller, state)
        except GraphError as error:
            return await refuse(self._way.door, call_id, caller, state, error)
        subject = subject_of(understood, caller, state, None)
        with Attempt(self._way.door, call_id, caller, subject) as attempt:
            return await self._pass_on(attempt, caller, understood, upload, file)

    async def _pass_on(
        self,
        attempt: Attempt,
        caller: Caller,
        understood: Understood,
        upload: MultipartUpload,
        file: UploadedFile,
    ) -> Reply:
        call_id = str(attempt.call)
        try:
            answered = await self._forward(attempt, understood, upload, file)
        except Refusal as refusal:
            return error_reply(refusal.error, call_id, retry_after_s=refusal.retry_after_s)
        except (UploadError, BodyError) as error:
            # The connection to Meta was cut with the body unfinished: there is no upload there.
            attempt.stopped(f"upload_{error.code}")
            return error_reply(_refusal(error), call_id)
        return await self._way.answering.finish(attempt, caller, understood, answered)

    async def _understand(
        self,
        request: Request,
        limits: UploadLimits,
        upload: MultipartUpload,
        file: UploadedFile,
        caller: Caller,
        state: WorkspaceState,
    ) -> Understood:
        raw = RawCall(request.method, request.path, request.query, MULTIPART, None)
        usual = _usual_fields(limits, file)
        facts = FileFacts(field=limits.file_field, name=file.safe_name, type=file.media.mime)
        return await self._way.understanding.understand(
            raw, state, may_of(state, caller), fields={**usual, **upload.fields}, file=facts
        )

    async def _forward(
        self, attempt: Attempt, understood: Understood, upload: MultipartUpload, file: UploadedFile
    ) -> Answered:
        boundary = secrets.token_hex(16)
        chunks = _checked(upload, understood.call.body or {})

        def body_of(form: Mapping[str, str]) -> AsyncIterator[bytes]:
            return build_multipart(
                fields=list(form.items()),
                file_name=file.safe_name,
                file_type=file.media.mime,
                chunks=chunks,
                boundary=boundary,
            )

        return await self._way.forwarding.forward(
            attempt,
            understood.call,
            understood.target,
            multipart=Multipart(boundary, body_of),
        )


def _limits_for(path: bytes) -> UploadLimits:
    """What a multipart body may hold; whether the path is any operation, the table decides."""
    edge = path.rstrip(b"/").rpartition(b"/")[2]
    if edge == b"assets":
        return _FLOW_ASSET
    return UploadLimits() if edge == b"media" else _GROUP_PICTURE


async def _open(request: Request, limits: UploadLimits) -> tuple[MultipartUpload, UploadedFile]:
    reader = BodyReader(
        request.receive,
        BodyLimits(max_bytes=BODY_MAX, total_s=900.0),
        content_length=request.content_length,
    )
    content_type = (request.content_type or "").encode("latin-1")
    try:
        upload = MultipartUpload(content_type, reader, limits=limits)
        return upload, await upload.open()
    except (UploadError, BodyError) as error:
        raise _refusal(error) from None


def _usual_fields(limits: UploadLimits, file: UploadedFile) -> Mapping[str, str]:
    """What is decided on for fields that follow the file, as pywa writes a flow's.

    They are checked when they come, before the body ends.
    """
    usual = {"messaging_product": "whatsapp", "type": file.media.mime, **_FLOW_JSON_FIELDS}
    return {name: value for name, value in usual.items() if name in limits.fields}


async def _checked(upload: MultipartUpload, decided: Mapping[str, object]) -> AsyncIterator[bytes]:
    """The file, and then a look at the fields behind it: they may not change what was decided."""
    async for chunk in upload.chunks():
        yield chunk
    for name, value in upload.fields.items():
        if str(decided.get(name)) != value:
            raise UploadError("unknown_field")


def _refusal(error: UploadError | BodyError) -> GraphError:
    return malformed(f"The upload is refused ({error.code}): {error.sentence}.")
