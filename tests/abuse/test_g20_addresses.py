"""G20: the client's address comes from the connection, or from a proxy that we configured, only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from abuse.door import Door
from abuse.watch import Watch
from abuse.watched_house import WatchedHouse
from gateway.house import VENTAS, WABA, Gateway, Key, text

OFFICE = "203.0.113.7"
OFFICE_NETWORK = "203.0.113.0/24"
OUTSIDE = "198.51.100.9"
PROXY = "10.0.0.5"

Headers = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def behind_proxies(house: WatchedHouse) -> Iterator[Gateway]:
    """A gateway whose neighbour, 127.0.0.1, is a proxy of ours, and so is a network behind it."""
    made = house.another_gateway(trusted_proxies=("127.0.0.1/32", "10.0.0.0/8"))
    yield made
    house.more.remove(made)
    made.close()


@pytest.fixture
def office(house: WatchedHouse) -> Key:
    """May send from the office's network only."""
    return house.workspace.key({"send:text": "all"}, conditions={"networks": [OFFICE_NETWORK]})


def forwarded(value: str) -> Headers:
    return (("X-Forwarded-For", value),)


_LIES: tuple[Headers, ...] = (
    forwarded(OFFICE),
    forwarded(f"{OFFICE}, 127.0.0.1"),
    forwarded(f"127.0.0.1, {OFFICE}"),
    (("x-forwarded-for", OFFICE), ("X-FORWARDED-FOR", OFFICE)),
    (("X-Real-IP", OFFICE),),
    (("Forwarded", f"for={OFFICE}"),),
    (("X-Client-IP", OFFICE), ("True-Client-IP", OFFICE), ("CF-Connecting-IP", OFFICE)),
    (("X-Cluster-Client-IP", OFFICE), ("X-Original-Forwarded-For", OFFICE)),
    (("X-Forwarded", OFFICE), ("Via", OFFICE), ("X-Remote-Addr", OFFICE)),
    (("X-Forwarded-Host", OFFICE), ("X-Forwarded-Proto", "https")),
    (("X_Forwarded_For", OFFICE),),
)


@pytest.mark.parametrize("number", range(len(_LIES)))
def test_g20_without_a_proxy_no_header_moves_the_client(
    door: Door, watch: Watch, office: Key, number: int
) -> None:
    answer = door.send(office, text(), VENTAS, headers=_LIES[number])

    assert answer.verdict == (403, 10, None, "outside_network")
    assert watch.ledger() == []
    assert {r["body"]["address"] for r in watch.records()} == {"127.0.0.1"}


# What the proxies saw, and whom that makes the client: the nearest that is not a proxy of ours.
_CHAINS: tuple[tuple[Headers, str], ...] = (
    (forwarded(OFFICE), OFFICE),
    (forwarded(f"{OUTSIDE}, {OFFICE}"), OFFICE),
    (forwarded(f"{OFFICE}, {OUTSIDE}"), OUTSIDE),
    (forwarded(f"{OFFICE},{OUTSIDE}, {PROXY}"), OUTSIDE),
    (forwarded(f"{OUTSIDE}, {OFFICE}, {PROXY}, 127.0.0.1"), OFFICE),
    ((("X-Forwarded-For", OFFICE), ("X-Forwarded-For", OUTSIDE)), OUTSIDE),
    ((("X-Forwarded-For", OUTSIDE), ("X-Forwarded-For", OFFICE)), OFFICE),
    (forwarded(f"{OFFICE}:4711"), OFFICE),
    (forwarded(f"::ffff:{OFFICE}"), OFFICE),
    (forwarded(f"[::ffff:{OFFICE}]:80"), OFFICE),
    (forwarded(f"{OFFICE}, unknown"), "127.0.0.1"),
    (forwarded(f"{OFFICE}, _hidden"), "127.0.0.1"),
    (forwarded(f"{OFFICE},"), "127.0.0.1"),
    (forwarded(""), "127.0.0.1"),
    (forwarded(f"{OFFICE}, 203.0.113.7x"), "127.0.0.1"),
    (forwarded(f"{OFFICE}, 0313.0.113.7"), "127.0.0.1"),
    (forwarded(f"{OFFICE}, 203.0.113"), "127.0.0.1"),
    (forwarded("3405803783"), "127.0.0.1"),
    ((("Forwarded", f"for={OFFICE}"),), "127.0.0.1"),
    ((("X-Real-IP", OFFICE),), "127.0.0.1"),
    ((("X-Forwarded-For", OUTSIDE), ("X-Real-IP", OFFICE)), OUTSIDE),
    ((), "127.0.0.1"),
)


@pytest.mark.parametrize("number", range(len(_CHAINS)))
def test_g20_behind_proxies_the_client_is_the_nearest_stranger(
    door: Door, watch: Watch, office: Key, behind_proxies: Gateway, number: int
) -> None:
    headers, client = _CHAINS[number]

    answer = door.send(office, text(), VENTAS, headers=headers, gateway=behind_proxies)

    assert answer.status == (200 if client == OFFICE else 403)
    assert len(watch.ledger()) == (1 if client == OFFICE else 0)
    assert {r["body"]["address"] for r in watch.records()} == {client}


_HOSTS: tuple[Headers, ...] = (
    (("X-Forwarded-Host", "evil.test"),),
    (("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Port", "1")),
    (("X-Forwarded-Prefix", "/evil"),),
    (("Forwarded", "host=evil.test;proto=http"),),
    (("X-Original-URL", "/me"), ("X-Rewrite-URL", "/me")),
    (("Origin", "https://evil.test"), ("Referer", "https://evil.test/")),
)


@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "127.0.0.1", "localhost"])
@pytest.mark.parametrize("number", range(len(_HOSTS)))
def test_g20_links_name_the_host_that_we_were_told_to_be(
    door: Door, house: WatchedHouse, watch: Watch, everything: Key, host: str, number: int
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in _HOSTS[number])
    request = (
        f"GET /v23.0/{WABA}/message_templates?limit=1 HTTP/1.1\r\nHost: {host}\r\n{lines}"
        f"Authorization: Bearer {everything.text}\r\nConnection: close\r\n\r\n"
    )

    answer = door.raw(request.encode(), key=everything)

    assert answer.status == 200
    assert answer.json["paging"]["next"].startswith(f"{house.settings.public_url}/v23.0/{WABA}/")
    assert b"evil.test" not in answer.body
    [arrived] = watch.ledger()
    assert "evil.test" not in str(arrived)
    assert arrived["headers"]["host"] == house.sandbox.url.removeprefix("http://")


def test_g20_control_trusting_everybody_is_seen_to_move_the_client(
    door: Door, house: WatchedHouse, office: Key
) -> None:
    gullible = house.another_gateway(trusted_proxies=("0.0.0.0/0",))
    try:
        answer = door.send(office, text(), VENTAS, headers=forwarded(OFFICE), gateway=gullible)
    finally:
        house.settle()
        house.more.remove(gullible)
        gullible.close()

    assert answer.status == 200
