"""A soft authenticator: makes passkeys and answers challenges, rightly or as wrongly as it is told."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class Soft:
    """One passkey, and everything its answers say."""

    handle: str = ""
    origin: str = "http://localhost"
    rp: str = "localhost"
    flags: int = UP | UV
    count: int = 0
    kind: str | None = None
    client_data: dict[str, Any] = field(default_factory=dict)
    id: bytes = field(default_factory=lambda: os.urandom(16))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def but(self, **changes: Any) -> Soft:
        return replace(self, **changes)

    def made(self, challenge: str) -> dict[str, Any]:
        """The answer to being made."""
        public = cbor.encode(dict(ES256.from_cryptography_key(self.key.public_key())))
        held = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._data(AT) + held
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        return {
            "id": text(self.id),
            "rawId": text(self.id),
            "type": "public-key",
            "clientExtensionResults": {"credProps": {"rk": True}},
            "response": {
                "clientDataJSON": text(self._said("webauthn.create", challenge)),
                "attestationObject": text(attestation),
                "transports": ["internal"],
            },
        }

    def shown(self, challenge: str) -> dict[str, Any]:
        """The answer to being asked for."""
        said, data = self._said("webauthn.get", challenge), self._data()
        signed = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        return {
            "id": text(self.id),
            "rawId": text(self.id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": text(said),
                "authenticatorData": text(data),
                "signature": text(signed),
                "userHandle": text(self.handle.encode()),
            },
        }

    def _said(self, kind: str, challenge: str) -> bytes:
        said = {
            "type": self.kind or kind,
            "challenge": challenge,
            "origin": self.origin,
            "crossOrigin": False,
            **self.client_data,
        }
        return json.dumps(said).encode()

    def _data(self, flags: int = 0) -> bytes:
        rp = hashlib.sha256(self.rp.encode()).digest()
        return rp + bytes([self.flags | flags]) + self.count.to_bytes(4, "big")
