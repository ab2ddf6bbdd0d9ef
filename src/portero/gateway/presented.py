"""The key a request presents, wherever Graph clients put tokens: header, query or form.

Exactly one credential: copies that differ are refused, because two readers of the request could
each believe another one (B2.5).
"""

from collections.abc import Iterable, Sequence
from urllib.parse import unquote_plus

from typing_extensions import override

from portero.engine.values import valueclass
from portero.graphapi.refusals import malformed, refusal_for

TOKEN_PARAMETER = "access_token"  # noqa: S105 - the name of the place, not a token
_SCHEMES = frozenset({"bearer", "oauth"})


@valueclass(frozen=True, slots=True)
class Presented:
    """The credential as text. `in_url`: it stood in the query or in a form, not only in a header."""

    text: str
    in_url: bool

    @override
    def __repr__(self) -> str:
        return "Presented(…)"


def presented_key(
    *,
    authorization: Sequence[bytes],
    query: bytes,
    form: Sequence[tuple[str, str]] = (),
) -> Presented | None:
    """The one credential of a request, None when it has none.

    Raises GraphError when there are several that differ, or a scheme Graph does not know.
    """
    if len(authorization) == 1 and not query and not form:  # nearly every request
        return Presented(_from_header(authorization[0]), in_url=False)
    in_header = {_from_header(value) for value in authorization}
    in_url = {v for name, v in _pairs(query) if name == TOKEN_PARAMETER}
    in_url |= {value for name, value in form if name == TOKEN_PARAMETER}
    found = in_header | in_url
    if not found:
        return None
    if len(found) > 1:
        raise malformed("The request carries two different credentials; send exactly one.")
    return Presented(found.pop(), in_url=bool(in_url))


def _from_header(value: bytes) -> str:
    scheme, _, token = value.decode("latin-1").strip().partition(" ")
    if scheme.lower() not in _SCHEMES or not token.strip():
        raise refusal_for("key_malformed", "Write the key as `Authorization: Bearer <key>`.")
    return token.strip()


def _pairs(query: bytes) -> Iterable[tuple[str, str]]:
    for part in query.decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        yield unquote_plus(name), unquote_plus(value)
