"""Where webhooks go: the app, its subscription to accounts, and overrides on two levels."""

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.objects import App, Callback, Json, Waba

_URI_MAX = 200


async def chosen_callback(call: Call, wanted: Json) -> Callback | None:
    """The override an object asks for, after the endpoint proved itself; "" takes it away."""
    uri = str(wanted.get("override_callback_uri") or "")
    if not uri:
        return None
    if len(uri) > _URI_MAX:
        raise meta_error(100, details=f"override_callback_uri is longer than {_URI_MAX}")
    callback = Callback(uri, str(wanted.get("verify_token") or ""))
    await _verify(call, callback)
    return callback


async def subscribe(call: Call, waba: Waba) -> Json:
    """The app that owns the token gets the account's webhooks; the body may name an override."""
    waba.override = await chosen_callback(call, call.request.params)
    waba.subscribed = True
    return SUCCESS


def list_subscribed(call: Call, waba: Waba) -> Json:
    if not waba.subscribed:
        return {"data": []}
    app = call.world.app
    link = f"https://www.facebook.com/games/?app_id={app.id}"
    entry: Json = {"whatsapp_business_api_data": {"id": app.id, "name": app.name, "link": link}}
    if waba.override:
        entry["override_callback_uri"] = waba.override.url
    return {"data": [entry]}


def unsubscribe(_call: Call, waba: Waba) -> Json:
    waba.subscribed = False
    waba.override = None
    return SUCCESS


def list_app_subscriptions(call: Call, app: App) -> Json:
    _need_app_token(call)
    if app.callback is None:
        return {"data": []}
    fields = sorted(app.callback.fields or ("messages",))
    subscription = {
        "object": "whatsapp_business_account",
        "callback_url": app.callback.url,
        "active": True,
        "fields": [{"name": name, "version": call.request.version or "v26.0"} for name in fields],
    }
    return {"data": [subscription]}


async def subscribe_app(call: Call, app: App) -> Json:
    """Set the app's one callback, after the endpoint proved itself."""
    _need_app_token(call)
    request = call.request
    if request.needed("object") != "whatsapp_business_account":
        raise meta_error(100, details="Param object must be whatsapp_business_account")
    fields = frozenset(map(str, request.listed("fields"))) or None
    callback = Callback(request.needed("callback_url"), request.needed("verify_token"), fields)
    await _verify(call, callback)
    app.callback = callback
    return SUCCESS


def unsubscribe_app(call: Call, app: App) -> Json:
    _need_app_token(call)
    app.callback = None
    return SUCCESS


async def _verify(call: Call, callback: Callback) -> None:
    if not await call.courier.verify(callback):
        message = (
            "(#2200) Callback verification failed with the following errors: the endpoint did "
            "not answer 200 with the challenge"
        )
        raise GraphError(http=400, code=2200, message=message)


def _need_app_token(call: Call) -> None:
    if call.token is None or not call.token.is_app:
        message = "This method must be called with an app access_token."
        raise GraphError(http=400, code=15, message=f"(#15) {message}")
