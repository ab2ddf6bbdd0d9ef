"""Media links of ours: short-lived, sealed, bound to the key and the number they were made for.

Meta's own links carry an access to be had with any token; ours say who may use them, and are
decided anew when they are used. The seal hides the upstream address and cannot be forged.
"""

import base64
import secrets
import time
from dataclasses import asdict, dataclass
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portero.store.sealing import KeyRing

LIFE_S = 300
PATH = "/media/"
_NONCE_BYTES = 12
_TEXT_MAX = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLink:
    """What a link stands for. `bearer`: whether the link alone suffices, without the key."""

    workspace: UUID
    principal: str
    credential: str | None
    media: str
    number: str | None
    upstream: str
    mime_type: str
    bearer: bool
    ends_at: float


class BadLink(Exception):
    """No link of ours, or one whose time is over."""


class MediaLinks:
    """Makes and reads the links of this installation."""

    def __init__(self, *, kek: KeyRing, public_url: str) -> None:
        derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"portero media link")
        self._cipher = AESGCM(derived.derive(kek.current.reveal()))
        self._public_url = public_url.rstrip("/")

    def url(self, link: MediaLink) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = orjson.dumps({**asdict(link), "workspace": str(link.workspace)})
        sealed = self._cipher.encrypt(nonce, plain, PATH.encode())
        return f"{self._public_url}{PATH}{_spelled(nonce + sealed)}"

    def read(self, text: str) -> MediaLink:
        """Raises BadLink, which never says why."""
        if len(text) > _TEXT_MAX:
            raise BadLink
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if _spelled(raw) != text:  # one link has one spelling
                raise BadLink
            plain = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], PATH.encode())
        except (ValueError, InvalidTag):
            raise BadLink from None
        parts = orjson.loads(plain)
        link = MediaLink(**{**parts, "workspace": UUID(parts["workspace"])})
        if link.ends_at < time.time():
            raise BadLink
        return link


def _spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
