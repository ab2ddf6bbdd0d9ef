"""Portfolio, app, token holder: who owns the accounts, and what a token is worth."""

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.calls import Call
from portero.sandbox.graph import authentication, wabas
from portero.sandbox.graph.nodes import Shown
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import App, Business, Json, Token, Waba
from portero.sandbox.reading import required

_UNSET_OF_BUSINESS = (
    "timezone_id",
    "created_time",
    "primary_page",
    "profile_picture_uri",
    "link",
    "vertical",
)
_UNSET_OF_APP = ("namespace", "description", "app_domains", "logo_url")

BUSINESS = Shown(
    type_name="Business",
    values=lambda _call, business: (
        {
            "id": business.id,
            "name": business.name,
            "verification_status": "verified",
            "two_factor_type": "admin_required",
        }
        | dict.fromkeys(_UNSET_OF_BUSINESS)
    ),
    defaults=("name",),
)
APP = Shown(
    type_name="Application",
    values=lambda _call, app: (
        {
            "id": app.id,
            "name": app.name,
            "link": f"https://www.facebook.com/games/?app_id={app.id}",
            "category": "Business",
        }
        | dict.fromkeys(_UNSET_OF_APP)
    ),
    defaults=("name", "link", "category"),
)


def read_business(call: Call, business: Business) -> Json:
    return BUSINESS.render(call, business, call.request.params.get("fields"))


def read_app(call: Call, app: App) -> Json:
    return APP.render(call, app, call.request.params.get("fields"))


def list_owned_wabas(call: Call, _business: Business) -> Json:
    return _listed_wabas(call, of_others=False)


def list_client_wabas(call: Call, _business: Business) -> Json:
    """Accounts that other businesses own and share."""
    return _listed_wabas(call, of_others=True)


def _listed_wabas(call: Call, *, of_others: bool) -> Json:
    token, fields = _token(call), call.request.params.get("fields")
    seen = [waba for waba in call.world.wabas.values() if authentication.reaches(token, waba)]
    accounts = [waba for waba in seen if (waba.owner is not None) is of_others]
    return paged(
        call,
        accounts,
        key=lambda waba: waba.id,
        show=lambda waba: wabas.SHOWN.render(call, waba, fields),
    )


def list_system_users(call: Call, _node: Business | Waba) -> Json:
    tokens = call.world.tokens.values()
    users = {token.user_id: token for token in tokens}  # one user may hold several tokens
    return paged(
        call,
        list(users.values()),
        key=lambda token: token.user_id,
        show=lambda token: {"id": token.user_id, "name": token.name, "role": "EMPLOYEE"},
    )


def read_me(call: Call) -> Json:
    """Who the token belongs to."""
    token = _token(call)
    return {"id": token.user_id, "name": token.name}


def read_my_permissions(call: Call) -> Json:
    granted = sorted(_token(call).scopes)
    return {"data": [{"permission": scope, "status": "granted"} for scope in granted]}


def debug_token(call: Call) -> Json:
    """What a token is: its app, holder, life and scopes."""
    inspected = call.world.token(call.request.needed("input_token"))
    if inspected is None:
        error = {"code": 190, "message": "Invalid OAuth access token."}
        return {"data": {"error": error, "is_valid": False, "scopes": []}}
    return {"data": _introspection(call, inspected)}


def _introspection(call: Call, token: Token) -> Json:
    app = call.world.app
    targets = {"target_ids": sorted(token.wabas)} if token.wabas is not None else {}
    return {
        "app_id": app.id,
        "type": "APP" if token.is_app else "SYSTEM_USER",
        "application": app.name,
        "data_access_expires_at": 0,
        "expires_at": token.expires_at,
        "is_valid": not token.expires_at or token.expires_at > call.now,
        "issued_at": 0,
        "scopes": sorted(token.scopes),
        "granular_scopes": [{"scope": scope, **targets} for scope in sorted(token.scopes)],
        "user_id": token.user_id,
    }


def exchange_token(call: Call) -> Json:
    """`client_credentials` gives the app's own token; a `code` gives the first system user's."""
    request, world = call.request, call.world
    known = request.needed("client_id") == world.app.id
    secret = authentication.is_secret(request.needed("client_secret"), world.app.secret)
    if not known or not secret:
        raise GraphError(http=400, code=101, message="Error validating client secret.")
    if request.text("grant_type") == "client_credentials":
        return _bearer(f"{world.app.id}|{world.app.secret}")
    if request.text("code") is None:
        raise required("code")
    first = next(iter(world.tokens), None)
    if first is None:
        raise meta_error(100, details="This authorization code has been used.")
    return _bearer(first)


def _bearer(token: str) -> Json:
    return {"access_token": token, "token_type": "bearer"}


def read_template_library(_call: Call) -> Json:
    """Meta's library of ready-made templates: empty here."""
    return {"data": []}


def _token(call: Call) -> Token:
    if call.token is None:
        raise meta_error(104)
    return call.token
