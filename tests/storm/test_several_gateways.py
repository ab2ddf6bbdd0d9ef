"""Several gateway processes on one database: limits are exact over all of them, revocation too."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from gateway.house import VENTAS, House, Key, error_of, text
from portero.domain.access.authorize import Actor
from portero.domain.accounts import services as accounts
from storm.storms import Killable

_TLS = ssl.create_default_context()  # made once: httpx would make one for each request


@pytest.fixture
def urls(house: House) -> list[str]:
    """Three gateways: the house's and two more."""
    return [house.gateway.url, house.another_gateway().url, house.another_gateway().url]


def send(url: str, key: Key, *, to: str = "525512345678", body: str = "hola") -> httpx.Response:
    return httpx.post(
        f"{url}/v23.0/{VENTAS}/messages",
        json=text(to, body),
        headers=key.headers,
        timeout=30,
        verify=_TLS,
    )


def send_all(urls: list[str], key: Key, count: int, *, people: int = 1) -> list[int]:
    """So many at once, spread over the gateways; their statuses."""

    def one(n: int) -> int:
        to = f"5255123{n % people:05d}" if people > 1 else "525512345678"
        return send(urls[n % len(urls)], key, to=to, body=f"n {n}").status_code

    with ThreadPoolExecutor(24) as many:
        return list(many.map(one, range(count)))


@pytest.mark.usefixtures("_no_hurry")
def test_a_day_is_exact_over_all_of_them(house: House, urls: list[str]) -> None:
    key = house.workspace.key({"send:text": "all"})
    house.workspace.limit("messages", "day", 60, holder_kind="key", holder=key.id)

    statuses = send_all(urls, key, 150)

    assert sorted(set(statuses)) == [200, 429]
    assert statuses.count(200) == 60
    assert len(house.sandbox.ledger()) == 60


@pytest.mark.usefixtures("_no_hurry")
def test_distinct_recipients_are_exact_over_all_of_them(house: House, urls: list[str]) -> None:
    key = house.workspace.key({"send:text": "all"})
    house.workspace.limit("recipients", "day", 10, holder_kind="key", holder=key.id)

    send_all(urls, key, 90, people=30)

    reached = {_to(request) for request in house.sandbox.ledger()}
    assert len(reached) == 10


def _to(request: dict[str, str]) -> str:
    to: str = json.loads(request["body"])["to"]
    return to


@pytest.mark.usefixtures("_no_hurry")
def test_a_second_is_exact_over_all_of_them(house: House, urls: list[str]) -> None:
    key = house.workspace.key({"send:text": "all"})
    house.workspace.limit("messages", "second", 5, holder_kind="key", holder=key.id)

    ends = time.monotonic() + 3.0
    while time.monotonic() < ends:
        send_all(urls, key, 24)

    times = sorted(_admitted_at(house))
    assert len(times) >= 10
    assert len(house.sandbox.ledger()) == len(times)  # what is looked at below is all that was sent
    for first, sixth in zip(times, times[5:], strict=False):
        assert (sixth - first).total_seconds() >= 1.0


def _admitted_at(house: House) -> list[datetime]:
    """By the one clock that counts, the database's: what arrives upstream arrives a little later."""
    records = house.workspace.records()
    return [r["at"] for r in records if r["kind"] == "intent" and r["effect"] == "allow"]


@pytest.fixture
def doomed(house: House, tmp_path: Path) -> Iterator[Killable]:
    """One more gateway, in a process of its own."""
    made = Killable(house, tmp_path)
    made.start()
    made.wait_ready()
    yield made
    made.close()


def send_while_one_is_killed(
    urls: list[str], doomed: Killable, key: Key, count: int, *, people: int = 1
) -> list[int]:
    """A fifth of them over all gateways, the rest after one of those was killed; 0 is no answer."""

    def one(n: int) -> int:
        if n == count // 5:
            doomed.kill()
        try:
            to = f"5255123{n % people:05d}"
            return send([*urls, doomed.url][n % 4], key, to=to, body=f"n {n}").status_code
        except httpx.TransportError:
            return 0

    with ThreadPoolExecutor(16) as many:
        return list(many.map(one, range(count)))


def test_a_day_is_never_exceeded_although_one_is_killed(
    house: House, urls: list[str], doomed: Killable
) -> None:
    key = house.workspace.key({"send:text": "all"})
    house.workspace.limit("messages", "day", 80, holder_kind="key", holder=key.id)

    statuses = send_while_one_is_killed(urls, doomed, key, 300)

    assert 0 in statuses
    assert statuses.count(200) <= len(house.sandbox.ledger()) <= 80
    assert statuses.count(200) >= 70  # what was open in the killed one stays taken, and no more


def test_distinct_recipients_are_never_exceeded_although_one_is_killed(
    house: House, urls: list[str], doomed: Killable
) -> None:
    key = house.workspace.key({"send:text": "all"})
    house.workspace.limit("recipients", "day", 10, holder_kind="key", holder=key.id)

    statuses = send_while_one_is_killed(urls, doomed, key, 160, people=32)

    reached = {_to(request) for request in house.sandbox.ledger()}
    assert 0 in statuses
    assert 8 <= len(reached) <= 10  # whom the killed one took and did not reach stays taken


def test_a_revocation_is_everywhere_when_it_has_returned(
    house: House, urls: list[str], ana: Actor
) -> None:
    took = []
    for _ in range(20):
        key = house.workspace.key({"send:text": "all"})
        for url in urls:
            assert send(url, key).status_code == 200
        began = time.monotonic()
        accounts.revoke_key(actor=ana, key=key.id)
        took.append(time.monotonic() - began)
        for url in urls:
            assert error_of(send(url, key)) == (401, 190, None, "key_revoked")

    took.sort()
    print(f"\nrevoked everywhere after {took[10] * 1000:.1f} ms, at most {took[-1] * 1000:.1f} ms")  # noqa: T201
    assert took[-1] < 2.0
