"""`kill -9` of the gateway while Meta posts: what was answered is kept and known, nothing twice."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import psycopg

from gateway.house import APP_SECRET, LUCIA, VENTAS, WABA, House
from storm.storms import Killable

PATH = "/webhooks/whatsapp"
POSTERS, KILLS = 16, 4
BETWEEN = 100  # posts that are answered before the next kill


@dataclass
class Meta:
    """Posts statuses, each until it is answered, as Meta does."""

    url: str
    answered: list[str] = field(default_factory=list)
    repeated: set[str] = field(default_factory=set)
    ended: threading.Event = field(default_factory=threading.Event)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def post_until_the_end(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10) as http:
            while not self.ended.is_set():
                message_id = f"wamid.HBgKILL{next(self._numbers):06}"
                raw = status_of(message_id)
                signature = hmac.new(APP_SECRET.encode(), raw, hashlib.sha256).hexdigest()
                headers = {"x-hub-signature-256": f"sha256={signature}"}
                while not self._is_taken(http, raw, headers):
                    self.repeated.add(message_id)
                    if self.ended.wait(0.02):
                        return
                self.answered.append(message_id)

    @staticmethod
    def _is_taken(http: httpx.Client, raw: bytes, headers: dict[str, str]) -> bool:
        try:
            return http.post(PATH, content=raw, headers=headers).status_code == 200
        except httpx.TransportError:
            return False

    def until_answered(self, more: int) -> None:
        wanted = len(self.answered) + more
        while len(self.answered) < wanted:
            assert not self.ended.wait(0.001)


def status_of(message_id: str) -> bytes:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "1", "phone_number_id": VENTAS},
        "statuses": [{"id": message_id, "status": "delivered", "recipient_id": LUCIA}],
    }
    change = {"field": "messages", "value": value}
    entry = {"id": WABA, "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def test_kill_nine_loses_no_post_that_was_answered_nor_what_it_teaches(
    house: House, killable: Killable
) -> None:
    meta = Meta(killable.url)
    killable.start()
    killable.wait_ready()
    with ThreadPoolExecutor(POSTERS) as posters:
        working = [posters.submit(meta.post_until_the_end) for _ in range(POSTERS)]
        try:
            for _ in range(KILLS):
                meta.until_answered(BETWEEN)
                killable.kill()
                killable.start()
                killable.wait_ready()
            meta.until_answered(BETWEEN)
        finally:
            meta.ended.set()
        for one in working:
            one.result(20)

    with psycopg.connect(house.database.dsn("superuser")) as db:
        bodies = db.execute("SELECT body FROM webhook_event").fetchall()
        known = db.execute("SELECT meta_id FROM resource WHERE kind = 'message'").fetchall()
    told = [
        json.loads(bytes(body))["entry"][0]["changes"][0]["value"]["statuses"][0]["id"]
        for (body,) in bodies
        if b"HBgKILL" in bytes(body)
    ]
    assert len(told) == len(set(told))
    assert set(meta.answered) <= set(told)
    assert set(told) <= {meta_id for (meta_id,) in known}
    assert meta.repeated, "no kill met a post under way"
