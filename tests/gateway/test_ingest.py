"""Meta's posts: genuine, stored before the 200, their ids known at once."""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from gateway.house import (
    APP_SECRET,
    LUCIA,
    VENTAS,
    VERIFY_TOKEN,
    WABA,
    Gateway,
    House,
    Workspace,
    text,
)
from portero.gateway import ingest
from portero.gateway.upstream import Upstream, UpstreamRequest, split_url
from portero.store import intake
from portero.store.batching import Batching

PATH = "/webhooks/whatsapp"
_CONFLICT = "ON CONFLICT (workspace_id, digest)"


def post(house: House, payload: Any, *, secret: str = APP_SECRET) -> httpx.Response:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={signature}", "content-type": "application/json"}
    return house.gateway.http.post(PATH, content=raw, headers=headers)


def message(
    message_id: str, waba: str = WABA, *, wa_id: str = LUCIA, user_id: str = ""
) -> dict[str, Any]:
    contact = {
        "wa_id": wa_id,
        "profile": {"name": "Lucía"},
        **({"user_id": user_id} if user_id else {}),
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "1", "phone_number_id": VENTAS},
        "contacts": [contact],
        "messages": [
            {
                "from": wa_id,
                "id": message_id,
                "timestamp": "1",
                "type": "text",
                "text": {"body": "x"},
            }
        ],
    }
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": waba, "changes": [{"field": "messages", "value": value}]}],
    }


def stored(house: House) -> list[bytes]:
    with psycopg.connect(house.database.dsn("superuser")) as db:
        rows = db.execute("SELECT body FROM webhook_event ORDER BY received_at").fetchall()
    return [bytes(row[0]) for row in rows]


def test_w03_the_handshake_answers_who_knows_the_token(house: House) -> None:
    asked = {
        "hub.mode": "subscribe",
        "hub.challenge": "1158201444",
        "hub.verify_token": VERIFY_TOKEN,
    }

    right = house.gateway.http.get(PATH, params=asked)
    wrong = house.gateway.http.get(PATH, params={**asked, "hub.verify_token": "guess"})

    assert (right.status_code, right.text) == (200, "1158201444")
    assert right.headers["content-type"].startswith("text/plain")
    assert wrong.status_code == 403


def test_a_signed_post_is_stored_as_it_came(house: House) -> None:
    raw = json.dumps(message("wamid.HBgLc3RvcmVkMQ=="), indent=1).encode()

    assert post(house, raw).status_code == 200
    assert stored(house)[-1] == raw


def test_w02_a_repeated_post_is_stored_once(house: House) -> None:
    before = len(stored(house))
    for _ in range(3):
        assert post(house, message("wamid.HBgLc3RvcmVkMg==")).status_code == 200
    assert len(stored(house)) == before + 1


@pytest.mark.parametrize("secret", ["", "another-secret"])
def test_w01_a_forged_post_is_dropped(house: House, secret: str) -> None:
    before = stored(house)
    assert post(house, message("wamid.HBgLZm9yZ2Vk"), secret=secret).status_code == 401
    assert house.gateway.http.post(PATH, json=message("wamid.HBgLZm9yZ2Vk")).status_code == 401
    assert stored(house) == before


def test_a_message_just_received_can_be_answered_and_read(house: House) -> None:
    key = house.workspace.key()
    message_id = house.sandbox.control(
        "inbound",
        {"phone_number_id": VENTAS, "from": LUCIA, "type": "text", "text": {"body": "¿?"}},
    )["message_id"]

    reply = house.send(key, text(context={"message_id": message_id}))

    assert reply.status_code == 200


def test_g36_a_number_and_a_business_scoped_id_named_together_are_one_person(house: House) -> None:
    key = house.workspace.key()
    house.workspace.limit("recipients", "day", 1, holder_kind="key", holder=key.id)
    post(house, message("wamid.HBgLcGVyc29u", wa_id="5215598765432", user_id="MX.1234567890"))

    by_number = house.send(key, text("525598765432"))
    by_id = house.send(key, {**text(), "to": None, "recipient": "MX.1234567890"})

    assert by_number.status_code == 200
    assert by_id.status_code != 429, by_id.text


def test_t09_entries_of_others_are_dropped(house: House) -> None:
    mixed = message("wamid.HBgLbWluZQ==")
    mixed["entry"].append(message("wamid.HBgLdGhlaXJz", waba="999999999999999")["entry"][0])

    assert post(house, mixed).status_code == 200

    kept = json.loads(stored(house)[-1])
    assert [entry["id"] for entry in kept["entry"]] == [WABA]
    assert b"wamid.HBgLdGhlaXJz" not in stored(house)[-1]


def test_t09_an_account_that_others_add_is_theirs_as_soon_as_their_head_is_heard_of(
    house: House,
) -> None:
    shared = "100000000000800"
    assert post(house, message("wamid.HBgLbm9ib2R5", shared)).status_code == 401

    for owners in (1, 2):
        Workspace(house.database, house.kek, house.pepper).create(waba=shared, numbers=())
        ends = time.monotonic() + 5
        for number in itertools.count():
            message_id = f"wamid.HBgLc2hhcmVk{owners}{number:04}"
            post(house, message(message_id, shared))
            if owners_of(house, message_id) == owners:
                break
            assert time.monotonic() < ends


def owners_of(house: House, message_id: str) -> int:
    with psycopg.connect(house.database.dsn("superuser")) as db:
        row = db.execute("SELECT count(*) FROM resource WHERE meta_id = %s", [message_id])
        return int(row.fetchone()[0])  # type: ignore[index]  # a count is always there


@pytest.mark.parametrize(
    "header",
    ["", "sha1=abc", "sha256=", "sha256=" + "0" * 63, "sha256=" + "0" * 64, "SHA256=" + "0" * 64],
)
def test_w01_a_signature_that_is_none_is_refused(house: House, header: str) -> None:
    before = stored(house)
    answer = house.gateway.http.post(
        PATH,
        content=json.dumps(message("wamid.HBgLc2ln")).encode(),
        headers={"x-hub-signature-256": header},
    )

    assert answer.status_code == 401
    assert stored(house) == before


def test_w03_the_challenge_comes_back_as_text_and_never_as_a_page(house: House) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN}
    page = house.gateway.http.get(
        PATH, params={**asked, "hub.challenge": "<script>alert(1)</script>"}
    )

    assert page.status_code == 403
    assert b"script" not in page.content


def test_posts_that_come_together_are_all_stored_and_a_bad_one_keeps_out_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = [json.dumps(message(f"wamid.HBgTOGETHER{n:03d}")).encode() for n in range(24)]
    digest = hashlib.sha256(payloads[7]).hexdigest()
    # The database takes every post but one.
    fails = f"1 / (CASE WHEN '\\x{digest}'::bytea = ANY($5) THEN 0 ELSE 1 END) = 1"
    refusing = intake._STORE.replace(_CONFLICT, f"WHERE {fails} {_CONFLICT}")
    monkeypatch.setattr(intake, "_STORE", refusing)

    with ThreadPoolExecutor(len(payloads)) as pool:
        answers = list(pool.map(lambda payload: post(house, payload).status_code, payloads))

    assert [n for n, status in enumerate(answers) if status != 200] == [7]
    kept = {body for body in stored(house) if b"TOGETHER" in body}
    assert kept == {payload for n, payload in enumerate(payloads) if n != 7}


CROWD, BATCH = 60, 4
UNDER_WAY = 2 * BATCH  # what both lanes hold


async def stored_before(house: House, gateway: Gateway, other: Workspace, waba: str) -> int:
    """How many posts of a crowd for one workspace go to the database before the one of another.

    All of them are waiting for the database before it takes the first.
    """
    keep = gateway.parts.public._webhooks._keep
    taken = in_the_order_taken(keep)
    origin, _ = split_url(gateway.url)
    client = Upstream([origin])

    async def deliver(message_id: str, waba: str) -> None:
        raw = json.dumps(message(message_id, waba)).encode()
        signature = hmac.new(APP_SECRET.encode(), raw, hashlib.sha256).hexdigest()
        headers = [(b"x-hub-signature-256", b"sha256=" + signature.encode())]
        request = UpstreamRequest("POST", origin, PATH, headers, raw)
        answer = await client.send(request, before_first_byte=lambda: None)
        assert answer.status == 200

    async def until(is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(4):
            while not is_so():
                await asyncio.sleep(0.01)

    async with await psycopg.AsyncConnection.connect(house.database.dsn("superuser")) as db:
        await db.execute("LOCK TABLE webhook_event IN EXCLUSIVE MODE")
        crowd = [
            asyncio.create_task(deliver(f"wamid.HBgLQ1JPV0Q{n:03d}", WABA)) for n in range(CROWD)
        ]
        await until(lambda: len(keep._waiting) >= CROWD - UNDER_WAY)
        alone = asyncio.create_task(deliver("wamid.HBgLQUxPTkU", waba))
        await until(lambda: any(post.workspace == other.id for post, _ in keep._waiting))
    await asyncio.gather(alone, *crowd)
    await client.close()
    assert len(taken) == CROWD + 1
    return taken.index(other.id)


def in_the_order_taken(keep: Any) -> list[UUID]:
    """Whose posts are taken to the database, as they are: not as answers come back, which may overtake."""
    taken: list[UUID] = []
    store = keep._work

    async def noted(posts: Sequence[Any]) -> Any:
        taken.extend(post.workspace for post in posts)
        return await store(posts)

    keep._work = noted
    return taken


def test_t10_a_crowd_of_posts_for_one_workspace_keeps_no_post_of_another_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    waba = "100000000000801"
    other = Workspace(house.database, house.kek, house.pepper).create(waba=waba, numbers=())
    monkeypatch.setattr(ingest, "Batching", partial(Batching, most=BATCH))

    before = house.loop.run(stored_before(house, house.another_gateway(), other, waba))

    assert before <= 2 * UNDER_WAY  # and what both lanes take next
