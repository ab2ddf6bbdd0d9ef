"""The one shape of every failure of the Graph surface: Meta's, ours, and the sandbox's."""

from dataclasses import dataclass

from portero.graphapi.error_codes import CATALOGUE, CatalogueEntry

__all__ = ["CATALOGUE", "CatalogueEntry", "GraphError", "meta_error"]

_UNPREFIXED = frozenset({104, 190})  # Meta prints the other titles as "(#code) title"
_HEADER_TEXT_MAX = 200


# Not frozen: Python itself sets `__traceback__` and `__context__` on a raised exception.
@dataclass(kw_only=True, eq=False)
class GraphError(Exception):
    """A refusal or failure in the shape Graph gives it.

    Attributes:
        http: status of the answer.
        code: Meta's error code; clients decide on it and on `details`.
        message: Meta's text, with its "(#code) " prefix where Meta has one.
        type: "OAuthException" nearly always; "GraphMethodException" for 100/33.
        subcode: Meta's `error_subcode`.
        details: `error_data.details`; for a refusal of ours "<reason>: <sentence>".
        reason: our stable reason code; None when Meta or the sandbox is speaking.
        user_title: `error_user_title`, seen on template errors.
        user_msg: `error_user_msg`, seen on template errors.
        transient: whether the same call may succeed later.
    """

    http: int
    code: int
    message: str
    type: str = "OAuthException"
    subcode: int | None = None
    details: str | None = None
    reason: str | None = None
    user_title: str | None = None
    user_msg: str | None = None
    transient: bool = False

    def __post_init__(self) -> None:
        """Give `str(error)` the text a reader of a traceback needs."""
        super().__init__(self.details or self.message)

    def body(self, trace_id: str) -> dict[str, object]:
        """The answer's JSON; `trace_id` becomes `fbtrace_id`."""
        error: dict[str, object] = {"message": self.message, "type": self.type, "code": self.code}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.transient:
            error["is_transient"] = True
        if self.user_title is not None:
            error["error_user_title"] = self.user_title
        if self.user_msg is not None:
            error["error_user_msg"] = self.user_msg
        if self.details is not None:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        error["fbtrace_id"] = trace_id
        return {"error": error}

    def headers(self) -> dict[str, str]:
        """The challenge Graph sends with every error."""
        text = "".join(c if " " <= c <= "~" and c not in '"\\' else " " for c in self.message)
        challenge = f'OAuth "Facebook Platform" "invalid_request" "{text[:_HEADER_TEXT_MAX]}"'
        return {"www-authenticate": challenge}


def meta_error(
    code: int,
    *,
    details: str | None = None,
    subcode: int | None = None,
    http: int | None = None,
    message: str | None = None,
    transient: bool = False,
) -> GraphError:
    """The error Meta gives for a catalogued `code`.

    `http` and `message` replace the catalogue's status and the whole text where Meta varies them.

    Raises:
        KeyError: the code is not in the catalogue.
    """
    entry = CATALOGUE[code]
    title = entry.title if code in _UNPREFIXED else f"(#{code}) {entry.title}"
    return GraphError(
        http=entry.http if http is None else http,
        code=code,
        message=title if message is None else message,
        subcode=subcode,
        details=details,
        transient=transient,
    )
