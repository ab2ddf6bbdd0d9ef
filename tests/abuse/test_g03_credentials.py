"""G03: one credential of ours, wherever Graph clients put one, and nobody's goes any further."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from itertools import combinations
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import pytest

from abuse.door import Answer, Door
from abuse.watch import Watch
from gateway.house import APP_SECRET, META_TOKEN, VENTAS, WABA, House, Key, text
from portero.gateway import forwarding, graph
from portero.gateway.presented import Presented

MESSAGES = f"/v23.0/{VENTAS}/messages"
FIELDS = {"messaging_product": "whatsapp", "to": "525512345678", "type": "text"}
FORM_TEXT = urlencode({**FIELDS, "text": '{"body":"hola"}'})
BOUNDARY = "cut"

# How a credential is put into one place: (headers, query, form fields, JSON members).
Placed = tuple[list[tuple[str, str]], str, str, dict[str, Any]]


def in_bearer(token: str) -> Placed:
    return [("Authorization", f"Bearer {token}")], "", "", {}


def in_oauth(token: str) -> Placed:
    return [("authorization", f"oauth {token}")], "", "", {}


def in_query(token: str) -> Placed:
    return [], f"access_token={quote(token)}", "", {}


def in_escaped_query(token: str) -> Placed:
    return [], f"%61cc%65ss_t%6Fken={''.join(f'%{ord(c):02x}' for c in token)}", "", {}


def in_form(token: str) -> Placed:
    return [], "", f"access_token={quote(token)}", {}


def in_json(token: str) -> Placed:
    return [], "", "", {"access_token": token}


PLACES: dict[str, Callable[[str], Placed]] = {
    "bearer": in_bearer,
    "oauth": in_oauth,
    "query": in_query,
    "escaped query": in_escaped_query,
    "form": in_form,
    "json": in_json,
}


def ask(door: Door, *placed: Placed, genuine: Key | None = None) -> Answer:
    """A text message with credentials in some places. Form and JSON do not go together."""
    headers = [header for one in placed for header in one[0]]
    query = "&".join(one[1] for one in placed if one[1])
    form = "&".join(one[2] for one in placed if one[2])
    target = f"{MESSAGES}?{query}" if query else MESSAGES
    if form:
        body = f"{FORM_TEXT}&{form}"
        return door.call("POST", target, headers=headers, form=body, genuine=genuine)
    members: dict[str, Any] = {}
    for one in placed:
        members |= one[3]
    return door.call("POST", target, headers=headers, json={**text(), **members}, genuine=genuine)


@pytest.fixture
def key(house: House) -> Key:
    return house.workspace.key({"send:text": "all"}, url_compatible=True)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "OAuth", "oauth", "OAUTH"])
def test_g03_the_header_takes_the_schemes_of_graph_clients(
    door: Door, key: Key, scheme: str
) -> None:
    placed: Placed = ([("Authorization", f"{scheme} {key.text}")], "", "", {})

    assert ask(door, placed, genuine=key).status == 200


@pytest.mark.parametrize("place", ["query", "escaped query", "form"])
def test_g03_a_url_is_a_place_for_keys_that_allow_it_only(
    door: Door, house: House, watch: Watch, key: Key, place: str
) -> None:
    plain = house.workspace.key({"send:text": "all"})

    assert ask(door, PLACES[place](key.text), genuine=key).status == 200
    assert ask(door, PLACES[place](plain.text), genuine=plain).verdict == (
        401, 190, None, "key_malformed",
    )  # fmt: skip
    # Standing in the header as well makes it no better: it was in a URL.
    both = ask(door, in_bearer(plain.text), PLACES[place](plain.text), genuine=plain)
    assert both.verdict == (401, 190, None, "key_malformed")
    assert len(watch.ledger()) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [pair for pair in combinations(PLACES, 2) if set(pair) != {"form", "json"}],
)
@pytest.mark.parametrize("other", ["another key", "Meta's token", "garbage", "nothing"])
def test_g03_two_credentials_that_differ_are_refused_in_any_two_places(
    door: Door, house: House, watch: Watch, key: Key, first: str, second: str, other: str
) -> None:
    texts = {
        "another key": house.workspace.key(url_compatible=True).text,
        "Meta's token": META_TOKEN,
        "garbage": "x",
        "nothing": "",
    }
    before = len(watch.ledger())

    one = ask(door, PLACES[first](key.text), PLACES[second](texts[other]))
    two = ask(door, PLACES[first](texts[other]), PLACES[second](key.text))

    assert {one.status, two.status} <= {400, 401}
    assert len(watch.ledger()) == before


@pytest.mark.parametrize(
    "query",
    [
        "access_token={key}&access_token={key}",
        "access_token={key}&access_token={meta}",
        "access_token={meta}&access_token={key}",
        "access_token={key}&%61ccess_token={meta}",
        "access_token={key};access_token={meta}",
        "access_token={key}&access_token",
        "access_token={key}&access_token=",
    ],
)
def test_g03_a_credential_given_twice_in_one_place_is_refused(
    door: Door, watch: Watch, key: Key, query: str
) -> None:
    answer = ask(door, ([], query.format(key=key.text, meta=META_TOKEN), "", {}))

    assert answer.status in {400, 401}
    assert watch.ledger() == []


def test_g03_two_authorization_headers_are_one_only_if_they_say_the_same(
    door: Door, watch: Watch, house: House, key: Key
) -> None:
    other = house.workspace.key()

    assert ask(door, in_bearer(key.text), in_oauth(key.text), genuine=key).status == 200
    assert ask(door, in_bearer(key.text), in_bearer(other.text)).status == 400
    assert ask(door, in_bearer(key.text), in_bearer(META_TOKEN)).status == 400
    listed: Placed = ([("Authorization", f"Bearer {key.text}, Bearer {other.text}")], "", "", {})
    assert ask(door, listed).status == 401
    assert len(watch.ledger()) == 1


_OTHER_NAMES = (
    "ACCESS_TOKEN", "Access_Token", "aCcEsS_tOkEn", "access-token", "accesstoken", "access_token[]",
    "access_token[0]", "access%5ftoken%00", "access_token%20", "%20access_token", "access%255Ftoken",
    "input_token", "token", "client_secret", "app_secret", "key",
)  # fmt: skip


@pytest.mark.parametrize("name", _OTHER_NAMES)
def test_g03_metas_token_under_any_other_name_is_refused_and_not_kept(
    door: Door, watch: Watch, key: Key, name: str
) -> None:
    in_url: Placed = ([], f"{name}={META_TOKEN}", "", {})
    in_body: Placed = ([], "", f"{name}={META_TOKEN}", {})
    in_member: Placed = ([], "", "", {name: META_TOKEN})

    for placed in (in_url, in_body, in_member):
        answer = ask(door, in_bearer(key.text), placed, genuine=key)
        assert answer.status == 400, answer.body

    assert watch.ledger() == []


@pytest.mark.parametrize("place", PLACES)
def test_g03_metas_token_alone_is_refused_and_not_kept(
    door: Door, watch: Watch, place: str
) -> None:
    answer = ask(door, PLACES[place](META_TOKEN))

    assert answer.status == 401
    assert watch.ledger() == []


def _misplaced(secret: str) -> list[tuple[str, str, Any]]:
    """Requests that carry a secret where none belongs and where a refusal likes to quote."""
    body = text()
    in_template = {"name": secret, "language": {"code": "es_MX"}}
    return [
        ("POST", f"/v23.0/{secret}/messages", body),
        ("GET", f"/{secret}", None),
        ("GET", f"/v23.0/{VENTAS}/{secret}", None),
        ("GET", f"/{secret}/v23.0/{VENTAS}", None),
        ("GET", f"/v23.0/{VENTAS}?{secret}=1", None),
        ("GET", f"/v23.0/{VENTAS}?fields={secret}", None),
        ("GET", f"/v23.0/{VENTAS}?fields=id.{secret}(1)", None),
        ("GET", f"/v23.0/{VENTAS}?fields=id{{{secret}}}", None),
        ("GET", f"/v23.0/{WABA}/message_templates?limit={secret}", None),
        ("POST", MESSAGES, {**body, secret: 1}),
        ("POST", MESSAGES, {**body, "to": secret}),
        ("POST", MESSAGES, {**body, "type": secret}),
        ("POST", MESSAGES, {**body, "text": {secret: "hola"}}),
        ("POST", MESSAGES, {**body, "context": {"message_id": secret}}),
        ("POST", MESSAGES, {**body, "type": "template", "template": in_template, "text": None}),
        ("POST", f"/v23.0/{WABA}/subscribed_apps", {"verify_token": secret, secret: secret}),
    ]  # fmt: skip


@pytest.mark.parametrize("which", ["Meta's token", "another key", "another key, half escaped"])
def test_g03_a_secret_in_a_place_for_something_else_is_neither_kept_nor_told(
    door: Door, house: House, watch: Watch, everything: Key, which: str
) -> None:
    other = house.workspace.key()
    secret = META_TOKEN if which == "Meta's token" else other.text

    for method, target, body in _misplaced(secret):
        if "half escaped" in which:
            target = target.replace(secret, "%70" + secret[1:])
        answer = door.call(method, target, key=everything, json=body)
        assert answer.status >= 400, (method, target)

    assert all(not arrived["query"].count(secret) for arrived in watch.ledger())


def _multipart(name: str, value: str) -> bytes:
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    product = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="messaging_product"\r\n\r\n'
    file = (
        f'whatsapp\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; '
        f'filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhola\r\n'
    )
    return (part + product + file + f"--{BOUNDARY}--\r\n").encode()


@pytest.mark.parametrize("name", ["access_token", "appsecret_proof", "ACCESS_TOKEN"])
@pytest.mark.parametrize("behind", [False, True])
def test_g03_a_second_credential_in_a_multipart_body_is_refused(
    door: Door, watch: Watch, everything: Key, name: str, behind: bool
) -> None:
    body = _multipart(name, META_TOKEN)
    if behind:
        head, _, rest = body.partition(b"\r\n--cut\r\n")
        end = rest.rindex(b"--cut--")
        body = b"--cut\r\n" + rest[:end] + head + b"\r\n--cut--\r\n"
    kind = ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")

    answer = door.call("POST", f"/v23.0/{VENTAS}/media", key=everything, headers=[kind], body=body)

    assert answer.status == 400
    # What was cut off half way is no upload there: Meta never saw the end of it.
    assert all(arrived["status"] is None for arrived in watch.ledger())


def test_g03_the_callers_proof_is_dropped_and_ours_is_computed(
    door: Door, house: House, watch: Watch, key: Key
) -> None:
    theirs = hmac.digest(b"not-our-app", key.text.encode(), "sha256").hex()
    ours = hmac.digest(APP_SECRET.encode(), META_TOKEN.encode(), "sha256").hex()
    in_url: Placed = ([], f"appsecret_proof={theirs}", "", {})
    in_body: Placed = ([], "", f"appsecret_proof={theirs}", {})

    for placed in (in_url, in_body):
        assert ask(door, in_bearer(key.text), placed, genuine=key).status == 200

    for arrived in watch.ledger():
        assert parse_qs(arrived["query"])["appsecret_proof"] == [ours]
        assert theirs not in arrived["body"] + arrived["query"]
        assert arrived["headers"]["authorization"] == f"Bearer {META_TOKEN}"


def test_g03_nothing_of_the_callers_headers_goes_on(door: Door, watch: Watch, key: Key) -> None:
    odd = [
        ("Cookie", "c_user=1; token=x"),
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Proxy-Authorization", "Bearer x"),
        ("X-Access-Token", "x"),
        ("Accept-Encoding", "gzip"),
        ("User-Agent", "curl/8"),
        ("Facebook-Api-Version", "v1.0"),
    ]

    assert door.send(key, text(), VENTAS, headers=odd).status == 200

    [arrived] = watch.ledger()
    assert arrived["method"] == "POST"
    assert set(arrived["headers"]) == {
        "host", "authorization", "accept", "user-agent", "content-type", "content-length",
    }  # fmt: skip
    assert arrived["headers"]["user-agent"] == "Portero"


def test_g03_control_a_credential_passed_through_is_seen_at_meta(
    door: Door, watch: Watch, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild = forwarding.rebuild
    monkeypatch.setattr(
        forwarding,
        "rebuild",
        lambda call, **how: _with_query(rebuild(call, **how), key.text),
    )

    door.send(key, text(), VENTAS)

    assert any("Meta was sent" in seen for seen in watch.expect_violations())


def test_g03_control_the_first_of_several_credentials_is_seen_to_get_through(
    door: Door, watch: Watch, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        graph,
        "presented_key",
        lambda *, authorization, query, form: Presented(key.text, in_url=False),
    )

    assert ask(door, in_bearer(key.text), in_oauth(META_TOKEN)).status == 200


def _with_query(rebuilt: Any, token: str) -> Any:
    from dataclasses import replace

    return replace(rebuilt, query=f"access_token={token}")
