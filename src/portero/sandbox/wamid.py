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


def call_id(peer: str) -> str:
    """The id of a call with `peer`: a message's, under its own prefix."""
    return "wacid." + sent_id(peer).removeprefix("wamid.")


def _pack(peer: str, direction: int, serial: str) -> str:
    head = b"\x1c\x18" + _counted(peer)
    tail = b"\x15\x02\x00" + bytes([direction]) + b"\x18" + _counted(serial)
    return "wamid." + base64.b64encode(head + tail + b"\x00").decode()


def _counted(text: str) -> bytes:
    """A text after its length, seven bits a byte, the lowest first, as Thrift's compact form does."""
    raw, length = text.encode(), bytearray()
    rest = len(raw)
    while rest > 0x7F:
        length.append(0x80 | rest & 0x7F)
        rest >>= 7
    return bytes([*length, rest]) + raw
