"""Message ids in Meta's form: `wamid.` and base64 of a small record that holds the peer's number."""

import base64
import secrets

_BY_BUSINESS = 0x11
_BY_CUSTOMER = 0x12


def sent_id(peer: str) -> str:
    """The id of a message from the business to `peer`."""
    return _pack(peer, _BY_BUSINESS, secrets.token_hex(9).upper())


def received_id(peer: str) -> str:
    """The id of a message from the customer `peer`."""
    return _pack(peer, _BY_CUSTOMER, secrets.token_hex(10).upper())


def _pack(peer: str, direction: int, serial: str) -> str:
    head = b"\x1c\x18" + bytes([len(peer)]) + peer.encode()
    tail = b"\x15\x02\x00" + bytes([direction]) + b"\x18" + bytes([len(serial)]) + serial.encode()
    return "wamid." + base64.b64encode(head + tail + b"\x00").decode()
