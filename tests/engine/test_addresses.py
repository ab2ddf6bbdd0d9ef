"""G20: the client's address comes from the peer, or from proxies that were configured."""

from ipaddress import ip_address

import pytest

from portero.engine.addresses import TrustedProxies

PROXY, INNER, STRANGER, VICTIM = "10.0.0.1", "10.0.0.2", "198.51.100.7", "203.0.113.9"
TRUSTED = ("10.0.0.0/24", "2001:db8:a::/48", "127.0.0.1/32")

MATRIX = [
    # peer, X-Forwarded-For fields, the client
    pytest.param(STRANGER, [], STRANGER, id="direct"),
    pytest.param(STRANGER, [VICTIM], STRANGER, id="a stranger's header"),
    pytest.param(STRANGER, [PROXY], STRANGER, id="a stranger naming our proxy"),
    pytest.param(PROXY, [], PROXY, id="the proxy itself"),
    pytest.param(PROXY, [STRANGER], STRANGER, id="through the proxy"),
    pytest.param(PROXY, [f"{VICTIM}, {STRANGER}"], STRANGER, id="forged on the left"),
    pytest.param(PROXY, [VICTIM, STRANGER], STRANGER, id="forged in a field of its own"),
    pytest.param(PROXY, [f"{PROXY}, {STRANGER}"], STRANGER, id="our proxy forged on the left"),
    pytest.param(PROXY, [f"{VICTIM}, {STRANGER}, {INNER}"], STRANGER, id="two proxies"),
    pytest.param(PROXY, [STRANGER, INNER], STRANGER, id="two proxies, two fields"),
    pytest.param(PROXY, [f"{INNER}, {PROXY}"], INNER, id="nobody but ours"),
    pytest.param(PROXY, [f"garbage, {STRANGER}"], STRANGER, id="garbage beyond the client"),
    pytest.param(PROXY, [f"{VICTIM}, garbage"], PROXY, id="garbage in front"),
    pytest.param(PROXY, [f"{VICTIM}, garbage, {INNER}"], PROXY, id="garbage between proxies"),
    pytest.param(PROXY, [""], PROXY, id="empty"),
    pytest.param(PROXY, [f"{STRANGER},"], PROXY, id="an empty hop"),
    pytest.param(PROXY, ["unknown"], PROXY, id="unknown"),
    pytest.param(PROXY, ["_hidden"], PROXY, id="obfuscated"),
    pytest.param(PROXY, [f"for={VICTIM}"], PROXY, id="the other header's grammar"),
    pytest.param(PROXY, ["evil.example"], PROXY, id="a name"),
    pytest.param(PROXY, ["3405803785"], PROXY, id="a whole number"),
    pytest.param(PROXY, ["0313.0.0161.011"], PROXY, id="octal"),
    pytest.param(PROXY, ["203.0.113"], PROXY, id="three parts"),
    pytest.param(PROXY, [f"{VICTIM}\r\nX: y"], PROXY, id="a line break"),
    pytest.param(PROXY, ["٢٠٣.0.113.9"], PROXY, id="digits of another script"),
    pytest.param(PROXY, [f"{STRANGER}:51234"], STRANGER, id="with a port"),
    pytest.param(PROXY, ["[2001:db8::7]:51234"], "2001:db8::7", id="version 6 with a port"),
    pytest.param(PROXY, ["[2001:db8::7]"], "2001:db8::7", id="version 6 in brackets"),
    pytest.param(PROXY, ["2001:DB8:0::7"], "2001:db8::7", id="version 6"),
    pytest.param(PROXY, ["2001:db8::7%eth0"], PROXY, id="a zone in the header"),
    pytest.param(PROXY, [f"::ffff:{STRANGER}"], STRANGER, id="a mapped client"),
    pytest.param(f"::ffff:{PROXY}", [STRANGER], STRANGER, id="a mapped proxy"),
    pytest.param(f"::ffff:{STRANGER}", [VICTIM], STRANGER, id="a mapped stranger"),
    pytest.param("2001:db8:a::1", [STRANGER], STRANGER, id="a proxy of version 6"),
    pytest.param("2001:db8:b::1", [VICTIM], "2001:db8:b::1", id="a stranger of version 6"),
    pytest.param("fe80::1%eth0", [VICTIM], "fe80::1", id="a link-local peer"),
    pytest.param(PROXY, [VICTIM, *[INNER] * 40], INNER, id="more hops than any chain has"),
    pytest.param(PROXY, [" \t" + STRANGER + " "], STRANGER, id="blanks"),
]


@pytest.mark.parametrize(("peer", "forwarded", "client"), MATRIX)
def test_g20_the_client_is_the_nearest_stranger_in_front_of_our_proxies(
    peer: str, forwarded: list[str], client: str
) -> None:
    values = [value.encode() for value in forwarded]

    assert TrustedProxies(TRUSTED).client(peer, values) == ip_address(client)


@pytest.mark.parametrize("peer", [PROXY, STRANGER, "127.0.0.1"])
def test_g20_without_configuration_no_header_counts(peer: str) -> None:
    assert TrustedProxies().client(peer, [VICTIM.encode()]) == ip_address(peer)


def test_g20_a_unix_socket_counts_only_where_it_is_the_proxy() -> None:
    values = [f"{VICTIM}, {STRANGER}".encode()]

    assert TrustedProxies(TRUSTED).client(None, values) is None
    assert TrustedProxies(unix_socket=True).client(None, values) == ip_address(STRANGER)
    assert TrustedProxies(unix_socket=True).client(None, []) is None
    assert TrustedProxies(unix_socket=True).client(None, [b"garbage"]) is None


@pytest.mark.parametrize("network", ["10.0.0.1/24", "proxy.example", "10.0.0.0/33", ""])
def test_a_network_that_is_none_stops_the_start(network: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        TrustedProxies([network])
