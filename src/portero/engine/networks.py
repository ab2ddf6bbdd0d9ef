"""Addresses and networks, in one normal form.

An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) is the same machine as its IPv4 form, so both read
as IPv4. Text that is no address, or no network, yields None: the caller decides what that means.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

_MAPPED = IPv6Network("::ffff:0:0/96")
_IPV4 = (1 << 32) - 1


class Address(NamedTuple):
    """An address as a number within its family."""

    version: int
    number: int


class Network(NamedTuple):
    """All addresses of one family that agree with `base` in the bits of `mask`."""

    version: int
    base: int
    mask: int


# Reading takes longer than all the rest of a decision, and a caller rarely changes its address.
@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """Read an IPv4 or IPv6 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address in _MAPPED:
        return Address(4, int(address) & _IPV4)
    return Address(address.version, int(address))


def parse_network(text: str) -> Network | None:
    """Read a network in CIDR notation; bits set beyond the prefix make it malformed.

    So does a zone, `fe80::1%eth0/128`: it names an interface of one machine, and may be any text.
    """
    if "%" in text:
        return None
    try:
        network = ip_network(text)
    except ValueError:
        return None
    base, mask = int(network.network_address), int(network.netmask)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return Network(4, base & _IPV4, mask & _IPV4)
    return Network(network.version, base, mask)


def contains(network: Network, address: Address) -> bool:
    """Whether `address` lies in `network`; families never mix."""
    return network.version == address.version and address.number & network.mask == network.base
