"""W01, W02, W03, T09: what is taken for Meta's is Meta's, kept once, by whose app secret signed it."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from abuse.door import Answer, Door
from abuse.watch import Row, Watch
from gateway.house import APP_SECRET, LUCIA, VENTAS, VERIFY_TOKEN, WABA, House, Workspace
from portero.gateway import ingest
from portero.store import intake

Db = psycopg.Connection[Row]
PATH = "/webhooks/whatsapp"
STRANGER_WABA, STRANGER_NUMBER = "100000000000700", "100000000000701"
STRANGER_SECRET = "app-secret-CANARY-of-the-stranger"
NOBODYS_WABA = "100000000000799"


@pytest.fixture(scope="session")
def stranger(house: House) -> Workspace:
    """A workspace with an account and an app of its own."""
    made = Workspace(house.database, house.kek, house.pepper).create(
        waba=STRANGER_WABA, numbers=(STRANGER_NUMBER,)
    )
    with made.change() as db:
        row = db.execute("SELECT id FROM meta_app WHERE workspace_id = %s", [made.id]).fetchone()
        assert row is not None
        sealed = made.keys.seal("meta_app", "app_secret", row[0], STRANGER_SECRET.encode())
        db.execute("UPDATE meta_app SET app_secret = %s WHERE id = %s", [sealed, row[0]])
    return made


def entry(message_id: str, waba: str = WABA, number: str = VENTAS) -> dict[str, Any]:
    message = {"from": LUCIA, "id": message_id, "timestamp": "1", "type": "text"}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "1", "phone_number_id": number},
        "messages": [{**message, "text": {"body": "x"}}],
    }
    return {"id": waba, "changes": [{"field": "messages", "value": value}]}


def payload(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"object": "whatsapp_business_account", "entry": entries}).encode()


def signature(raw: bytes, secret: str = APP_SECRET, *, by: str = "sha256") -> str:
    return f"{by}={hmac.new(secret.encode(), raw, by).hexdigest()}"


def post(door: Door, raw: bytes, signed: str | None) -> Answer:
    headers = [] if signed is None else [("X-Hub-Signature-256", signed)]
    kind = ("Content-Type", "application/json")
    return door.call("POST", PATH, body=raw, headers=[kind, *headers])


def kept(db: Db, workspace: Workspace, mark: str) -> list[bytes]:
    """The stored posts of a workspace that say `mark`."""
    rows = db.execute(
        "SELECT body FROM webhook_event WHERE workspace_id = %s ORDER BY received_at",
        [workspace.id],
    ).fetchall()
    return [bytes(row["body"]) for row in rows if mark.encode() in bytes(row["body"])]


def has_learned(db: Db, workspace: Workspace, meta_id: str) -> bool:
    row = db.execute(
        "SELECT FROM resource WHERE workspace_id = %s AND meta_id = %s", [workspace.id, meta_id]
    ).fetchone()
    return row is not None


FORGERIES: dict[str, Callable[[bytes], str | None]] = {
    "none": lambda raw: None,
    "empty": lambda raw: "",
    "another app's": lambda raw: signature(raw, STRANGER_SECRET),
    "of an empty secret": lambda raw: signature(raw, ""),
    "of the verify token": lambda raw: signature(raw, VERIFY_TOKEN),
    "without its last digit": lambda raw: signature(raw)[:-1],
    "half of it": lambda raw: signature(raw)[:39],
    "its scheme alone": lambda raw: "sha256=",
    "with a digit more": lambda raw: signature(raw) + "0",
    "without its scheme": lambda raw: signature(raw).removeprefix("sha256="),
    "in capitals": lambda raw: "sha256=" + signature(raw).removeprefix("sha256=").upper(),
    "the weaker scheme's": lambda raw: signature(raw, by="sha1"),
    "the weaker scheme under the name of the stronger": lambda raw: (
        "sha256=" + signature(raw, by="sha1").removeprefix("sha1=")
    ),
    "a digest without a secret": lambda raw: "sha256=" + hashlib.sha256(raw).hexdigest(),
    "of the same JSON in other bytes": lambda raw: signature(json.dumps(json.loads(raw), indent=1).encode()),
    "of a post with one byte more": lambda raw: signature(raw + b"\n"),
    "of another post": lambda raw: signature(payload(entry("wamid.HBgLb3RoZXI="))),
}  # fmt: skip


@pytest.mark.parametrize("number", range(len(FORGERIES)))
def test_w01_a_post_that_its_bytes_and_secret_do_not_sign_is_dropped(
    door: Door, house: House, watch: Watch, superuser: Db, number: int
) -> None:
    mark = f"wamid.HBgLZm9yZ2VyeQ{number:02}"
    raw = payload(entry(mark))

    answer = post(door, raw, list(FORGERIES.values())[number](raw))

    assert answer.status == 401
    assert kept(superuser, house.workspace, mark) == []
    assert not has_learned(superuser, house.workspace, mark)


def test_w01_what_meta_signed_is_kept_to_the_byte(door: Door, house: House, superuser: Db) -> None:
    """The other side of the forgeries: their post is refused for its signature alone."""
    mark = "wamid.HBgLZ2VudWluZQ=="
    raw = payload(entry(mark))

    assert post(door, raw, signature(raw)).status == 200
    assert kept(superuser, house.workspace, mark) == [raw]
    assert has_learned(superuser, house.workspace, mark)


def test_w01_control_without_the_signature_a_forged_post_is_seen_to_be_kept(
    door: Door, house: House, superuser: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = "wamid.HBgLY29udHJvbHcwMQ=="
    monkeypatch.setattr(ingest, "_signed_by", lambda *_: True)

    answer = post(door, payload(entry(mark)), None)

    assert answer.status == 200
    assert kept(superuser, house.workspace, mark) != []


def replay(door: Door, mark: str, dice: random.Random) -> None:
    """Five genuine posts, each ten times, in any order."""
    posts = [payload(entry(f"{mark}{n}")) for n in range(5)] * 10
    dice.shuffle(posts)
    for raw in posts:
        assert post(door, raw, signature(raw)).status == 200


def test_w02_posts_replayed_in_any_order_are_kept_once_each(
    door: Door, house: House, superuser: Db, dice: random.Random
) -> None:
    mark = "wamid.HBgLcmVwbGF5"

    replay(door, mark, dice)

    assert sorted(kept(superuser, house.workspace, mark)) == [
        payload(entry(f"{mark}{n}")) for n in range(5)
    ]


def test_w02_control_without_the_digest_a_replay_is_seen_to_be_kept_again(
    door: Door,
    house: House,
    superuser: Db,
    dice: random.Random,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = "wamid.HBgLY29udHJvbHcwMg"
    fresh = "w, i, sha256(uuid_send(i) || d), b"
    statement = intake._STORE.replace("SELECT w, i, d, b", f"SELECT {fresh}")
    monkeypatch.setattr(intake, "_STORE", statement)

    replay(door, mark, dice)

    assert len(kept(superuser, house.workspace, mark)) == 50


RIGHT = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY_TOKEN}
ABUSES: dict[str, dict[str, str]] = {
    "no token": {"hub.verify_token": ""},
    "a guess": {"hub.verify_token": "guess"},
    "the beginning of the token": {"hub.verify_token": VERIFY_TOKEN[:-1]},
    "the token and more": {"hub.verify_token": VERIFY_TOKEN + "0"},
    "the token in capitals": {"hub.verify_token": VERIFY_TOKEN.upper()},
    "what is kept of the token": {
        "hub.verify_token": hashlib.sha256(VERIFY_TOKEN.encode()).hexdigest()
    },
    "another mode": {"hub.mode": "unsubscribe"},
    "no mode": {"hub.mode": ""},
    "a page": {"hub.challenge": "<script>alert(1)</script>"},
    "a page of few signs": {"hub.challenge": "<b>1"},
    "a header": {"hub.challenge": "1\r\nSet-Cookie: a=b"},
    "a link": {"hub.challenge": "javascript:alert(1)"},
    "nothing": {"hub.challenge": ""},
}


@pytest.mark.parametrize("abuse", ABUSES)
def test_w03_the_handshake_says_nothing_back_to_who_abuses_it(door: Door, abuse: str) -> None:
    asked = {**RIGHT, **ABUSES[abuse]}

    answer = door.call("GET", f"{PATH}?{urlencode(asked)}")

    assert (answer.status, answer.body) == (403, b"not verified")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("set-cookie") is None


def test_w03_several_tokens_in_one_handshake_are_no_several_guesses(door: Door) -> None:
    guesses = urlencode([*RIGHT.items(), *(("hub.verify_token", f"guess{n}") for n in range(9))])

    assert door.call("GET", f"{PATH}?{guesses}").status == 403


def test_w03_who_knows_the_token_gets_the_challenge_as_text(door: Door) -> None:
    answer = door.call("GET", f"{PATH}?{urlencode(RIGHT)}")

    assert (answer.status, answer.body) == (200, b"1158201444")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("x-content-type-options") == "nosniff"


def test_w03_control_without_the_comparison_any_token_is_seen_to_do(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_IS_KNOWN", "SELECT $1::bytea IS NOT NULL")
    asked = {**RIGHT, **ABUSES["a guess"]}

    assert door.call("GET", f"{PATH}?{urlencode(asked)}").body == b"1158201444"


def mixed(mark: str) -> bytes:
    """One post with entries of ours, of a stranger's and of nobody's account."""
    return payload(
        entry(f"{mark}ours"),
        entry(f"{mark}theirs", STRANGER_WABA, STRANGER_NUMBER),
        entry(f"{mark}nobodys", NOBODYS_WABA),
        entry(f"{mark}ourstoo"),
    )


def entries_kept(db: Db, workspace: Workspace, mark: str) -> list[str]:
    return [
        one["changes"][0]["value"]["messages"][0]["id"].removeprefix(mark)
        for body in kept(db, workspace, mark)
        for one in json.loads(body)["entry"]
    ]


@pytest.mark.parametrize(
    ("secret", "ours", "theirs"),
    [(APP_SECRET, ["ours", "ourstoo"], []), (STRANGER_SECRET, [], ["theirs"])],
)
def test_t09_an_entry_reaches_whose_account_it_is_if_their_secret_signed_it(
    door: Door,
    house: House,
    watch: Watch,
    superuser: Db,
    stranger: Workspace,
    secret: str,
    ours: list[str],
    theirs: list[str],
) -> None:
    mark = f"wamid.HBgLbWl4ZWQ{len(ours)}"
    watch.secrets.append(STRANGER_SECRET)
    raw = mixed(mark)

    assert post(door, raw, signature(raw, secret)).status == 200

    for workspace, mine in ((house.workspace, ours), (stranger, theirs)):
        assert entries_kept(superuser, workspace, mark) == mine
        for whose in ("ours", "ourstoo", "theirs", "nobodys"):
            learned = has_learned(superuser, workspace, mark + whose)
            assert learned == (whose in mine), whose
    assert any("dropped entries of accounts" in line for line in watch.log.lines)


def test_t09_a_post_about_others_alone_is_nobodys(
    door: Door, house: House, superuser: Db, stranger: Workspace
) -> None:
    mark = "wamid.HBgLb3RoZXJz"
    for waba in (STRANGER_WABA, NOBODYS_WABA):
        raw = payload(entry(mark, waba))
        assert post(door, raw, signature(raw)).status == 401

    assert kept(superuser, house.workspace, mark) == kept(superuser, stranger, mark) == []


def test_t09_control_a_post_kept_whole_is_seen_to_hold_the_others_entry(
    door: Door,
    house: House,
    superuser: Db,
    stranger: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = "wamid.HBgLY29udHJvbHQwOQ"
    raw = mixed(mark)
    monkeypatch.setattr(ingest, "_only", lambda raw, _: raw)

    assert post(door, raw, signature(raw)).status == 200

    assert "theirs" in entries_kept(superuser, house.workspace, mark)
