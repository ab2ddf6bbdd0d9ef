"""Who asks: from a presented key to a caller, without a hint to somebody who guesses."""

import hashlib
import hmac
from datetime import UTC, datetime

from portero.engine.values import valueclass
from portero.gateway.attempt import Caller
from portero.gateway.last_use import LastUse
from portero.gateway.presented import Presented
from portero.gateway.settings import Settings
from portero.gateway.workspaces import Workspaces, WorkspaceState
from portero.graphapi.errors import GraphError
from portero.graphapi.refusals import refusal_for
from portero.store import keys
from portero.store.policy import KeyRow

NO_KEY = "The request has no key. Send it as `Authorization: Bearer <key>`."
NOT_A_KEY = (
    "This is not a Portero key. Keys begin with `ptr_`; Meta's own token never belongs here."
)
MISTYPED = "This key is cut short or mistyped: copy the whole of it once more."
UNKNOWN = "No such key."
# Who may make a key is the workspace's own to say; the way is the same everywhere.
_ANOTHER = "Ask an administrator for another; `portero key create` makes one."
_PROVED_MAX = 10_000


@valueclass(frozen=True, slots=True)
class Authenticated:
    """A caller whose key is genuine; `refusal` says why it may not be used all the same."""

    caller: Caller
    state: WorkspaceState
    key: KeyRow
    refusal: GraphError | None


class Authenticator:
    """Looks keys up by their public part, then compares digests in constant time.

    A text that was proved once is known again by its hash, for as long as the key that it was
    proved to be has the digest it had. Whether that key may be used is looked up at every call.
    """

    def __init__(self, *, workspaces: Workspaces, settings: Settings, last_use: LastUse) -> None:
        self._workspaces = workspaces
        self._last_use = last_use
        self._peppers = settings.peppers
        self._proved: dict[bytes, tuple[str, bytes]] = {}

    async def authenticate(
        self, presented: Presented | None, *, address: str | None
    ) -> Authenticated:
        """Raises GraphError for what is no key of ours: there is no workspace to record it in."""
        if presented is None:
            raise refusal_for("key_malformed", NO_KEY)
        state, key = await self._found(presented.text)
        self._last_use.seen(state.id, key.id)
        caller = Caller(
            workspace=state.id, principal=key.principal, credential=key.id, address=address
        )
        return Authenticated(caller, state, key, _unusable(key, presented))

    async def _found(self, text: str) -> tuple[WorkspaceState, KeyRow]:
        """The key with this text, whatever has become of it. Raises GraphError where none has."""
        hashed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        public_id, digest = self._proved.get(hashed) or (_public_id(text), None)
        state = await self._workspaces.of_key(public_id)
        key = state.keys.get(public_id) if state is not None else None
        if state is None or key is None:
            raise refusal_for("key_unknown", UNKNOWN)
        if digest is None or not hmac.compare_digest(digest, key.digest):
            if not self._genuine(key, text):
                raise refusal_for("key_unknown", UNKNOWN)
            if len(self._proved) >= _PROVED_MAX:
                self._proved.clear()
            self._proved[hashed] = public_id, key.digest
        return state, key

    def _genuine(self, key: KeyRow, text: str) -> bool:
        pepper = self._peppers.key(key.pepper_version)
        return pepper is not None and keys.matches(key.digest, pepper.reveal(), text)


def _public_id(text: str) -> str:
    parsed = keys.read(text)
    if parsed is None:
        looks_like_one = text.startswith(keys.PREFIX)
        raise refusal_for("key_malformed", MISTYPED if looks_like_one else NOT_A_KEY)
    return parsed.public_id


def _unusable(key: KeyRow, presented: Presented) -> GraphError | None:
    if key.revoked_at is not None:
        sentence = f"The key was revoked at {_moment(key.revoked_at)}. {_ANOTHER}"
        return refusal_for("key_revoked", sentence)
    if key.disabled_reason is not None:
        sentence = f"The key is disabled: {key.disabled_reason}. {_ANOTHER}"
        return refusal_for("key_revoked", sentence)
    if key.expires_at <= datetime.now(UTC):
        sentence = f"The key expired at {_moment(key.expires_at)}. {_ANOTHER}"
        return refusal_for("key_expired", sentence)
    if presented.in_url and not key.url_compatible:
        return refusal_for(
            "key_malformed",
            "This key may come in the Authorization header only, and it has now stood in a URL or "
            "a form: revoke it and make another. One made url-compatible may also come as "
            "`access_token`.",
        )
    return None


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
