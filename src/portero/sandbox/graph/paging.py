"""Pages of a list: cursors, and absolute links that carry the token, as Meta's do."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import Call
from portero.sandbox.objects import Json

Item = TypeVar("Item")

_DEFAULT_LIMIT, _MAX_LIMIT = 25, 1_000
_REPLACED = ("after", "before", "access_token")


def paged(
    call: Call, items: Sequence[Item], *, key: Callable[[Item], str], show: Callable[[Item], Json]
) -> Json:
    """`{"data", "paging"}` of one page, chosen by `limit`, `after` and `before`.

    Raises:
        GraphError: 131059 for a cursor that is not one, 100 for a limit that is no number.
    """
    keys = [key(item) for item in items]
    limit = min(max(call.request.number("limit", _DEFAULT_LIMIT), 1), _MAX_LIMIT)
    start, stop = 0, limit
    if (after := call.request.text("after")) is not None:
        start = _position(after, keys) + 1
        stop = start + limit
    elif (before := call.request.text("before")) is not None:
        stop = _position(before, keys)
        start = max(stop - limit, 0)
    page = {"data": [show(item) for item in items[start:stop]]}
    return page | _links(call, keys, start, min(stop, len(keys)))


def _links(call: Call, keys: list[str], start: int, stop: int) -> Json:
    """Cursors and links around `keys[start:stop]`; nothing around an empty page."""
    if start >= stop:
        return {}
    first, last = _cursor(keys[start]), _cursor(keys[stop - 1])
    paging: Json = {"cursors": {"before": first, "after": last}}
    if stop < len(keys):
        paging["next"] = _link(call, "after", last)
    if start > 0:
        paging["previous"] = _link(call, "before", first)
    return {"paging": paging}


def _link(call: Call, direction: str, cursor: str) -> str:
    request = call.request
    path = "/".join(part for part in (request.version, *request.segments) if part)
    query = {name: _as_text(value) for name, value in request.params.items()}
    query = {name: value for name, value in query.items() if name not in _REPLACED}
    query["access_token"] = call.token.token if call.token else ""
    query[direction] = cursor
    return f"{request.base_url}/{path}?{urlencode(query)}"


def _as_text(value: object) -> str:
    """A parameter as a query writes it: what was read as JSON is JSON again."""
    return value if isinstance(value, str) else json.dumps(value)


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(b"cursor:" + key.encode()).decode().rstrip("=")


def _position(cursor: str, keys: list[str]) -> int:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = base64.urlsafe_b64decode(padded).decode().removeprefix("cursor:")
        return keys.index(key)
    except (binascii.Error, ValueError) as error:
        raise meta_error(131059, details="The cursor is not valid") from error
