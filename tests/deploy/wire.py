"""Raw bytes over TLS to a proxy, and what came back."""

from __future__ import annotations

import ssl

from deploy.proxies import Proxy


def speak(proxy: Proxy, *pieces: bytes, wait_s: float = 5) -> bytes:
    """Send the pieces; everything that is answered until the proxy closes or says no more."""
    with proxy.connect(timeout=wait_s) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while piece := connection.recv(65536):
                answer += piece
        except (TimeoutError, ConnectionError, ssl.SSLError):
            pass  # closed without a word, or silent because it waits for more
        return answer


def statuses(answer: bytes) -> list[int]:
    """Of every answer in it, an interim 100 left out."""
    found = (int(part.split()[0]) for part in answer.split(b"HTTP/1.1 ")[1:])
    return [status for status in found if status != 100]
