"""Who calls: token, its life, its scopes, its accounts, and the proof of the app secret."""

import hashlib
import hmac
from datetime import UTC, datetime

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.objects import Scope, Token, Waba
from portero.sandbox.reading import GraphRequest
from portero.sandbox.world import World

_SEND_DENIED = (
    "(#200) You do not have the necessary permissions to send messages on behalf of this "
    "WhatsApp Business Account"
)


def authenticate(world: World, request: GraphRequest) -> Token:
    """The token of a call. Raises `GraphError`: 104 without one, 190 for a bad or expired one."""
    text = request.token
    if text is None:
        raise meta_error(104, message="An access token is required to request this resource.")
    token = world.token(text)
    if token is None:
        raise meta_error(190, message="Invalid OAuth access token - Cannot parse access token")
    if token.expires_at and token.expires_at <= world.clock():
        when = datetime.fromtimestamp(token.expires_at, tz=UTC).strftime("%A, %d-%b-%y %H:%M:%S")
        message = f"Error validating access token: Session has expired on {when} UTC."
        raise meta_error(190, subcode=463, message=message)
    _check_proof(world, request, token)
    return token


def authorize(token: Token, scopes: tuple[Scope, ...]) -> None:
    """The token has every scope. Raises `GraphError` 200."""
    missing = [scope for scope in scopes if scope not in token.scopes]
    if Scope.MESSAGING in missing:
        raise meta_error(200, message=_SEND_DENIED)
    if missing:
        raise meta_error(200, message=f"(#200) Requires {', '.join(missing)} permission")


def reaches(token: Token, waba: Waba | None) -> bool:
    """Whether the token sees what belongs to an account."""
    return token.wabas is None or waba is None or waba.id in token.wabas


def is_secret(given: str, secret: str) -> bool:
    """Whether a text of any kind is the secret; the time it takes does not tell how much of it."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), secret.encode())


def _check_proof(world: World, request: GraphRequest, token: Token) -> None:
    proof = request.text("appsecret_proof")
    if proof is None:
        if world.require_app_secret and not token.is_app:
            raise _bad_proof("API calls from the server require an appsecret_proof argument")
        return
    secret = world.app.secret.encode()
    if not is_secret(proof, hmac.new(secret, token.token.encode(), hashlib.sha256).hexdigest()):
        raise _bad_proof("Invalid appsecret_proof provided in the API argument")


def _bad_proof(message: str) -> GraphError:
    return GraphError(http=400, code=100, message=message, type="GraphMethodException")
