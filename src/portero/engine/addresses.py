"""Who is calling: the client's address behind proxies that we configured, and no others.

Rules that depend on the network, and the record, read this address; a header that anybody can write
must not decide them (abuse case G20).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

# As proxies write it: an address, or one with a port ("192.0.2.1:80", "[2001:db8::1]:80").
_HOP = re.compile(
    r"\[(?P<bracketed>[0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|(?P<v4>[0-9.]+):[0-9]{1,5}|(?P<bare>[0-9A-Fa-f:.]+)"
)
_MAX_HOPS = 32


class TrustedProxies:
    """The proxies in front of us. `unix_socket`: what connects through one is such a proxy."""

    def __init__(self, networks: Iterable[str] = (), *, unix_socket: bool = False) -> None:
        self._networks = tuple(ip_network(network) for network in networks)
        self._unix_socket = unix_socket

    def client(self, peer: str | None, forwarded_for: Sequence[bytes]) -> Address | None:
        """Return the nearest address in front of our own proxies.

        Args:
            peer: the connection's other end; None on a unix socket.
            forwarded_for: the values of every X-Forwarded-For field, in order.

        Returns:
            The peer's own address when it is not a trusted proxy or the chain is malformed up to the
            first stranger; None when that peer is a unix socket.
        """
        address = None if peer is None else _parse(peer)
        if not self.is_one(peer):
            return address
        nearest = address
        for hop in reversed(_hops(forwarded_for)):
            found = _parse_hop(hop)
            if found is None:
                return address
            nearest = found
            if not self._trusts(found):
                break
        return nearest

    def is_one(self, peer: str | None) -> bool:
        """Whether the connection's other end is one of them, so that what it says is believed."""
        return self._unix_socket if peer is None else self._trusts(_parse(peer))

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _hops(forwarded_for: Sequence[bytes]) -> list[str]:
    """The last hops of the chain, which are the only ones our proxies wrote."""
    if not forwarded_for:
        return []
    return b",".join(forwarded_for).decode("latin-1").rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]


def _parse_hop(text: str) -> Address | None:
    match = _HOP.fullmatch(text.strip(" \t"))
    if match is None:
        return None
    return _parse(match["bracketed"] or match["v4"] or match["bare"])


@lru_cache(maxsize=4096)
def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])  # a zone says which of our links, not who
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
