"""The demo for a phone in the same network: https at a name, by an authority of the demo's own.

Caddy stands in front with the configuration that an installation has. The authority may speak for the
demo's name alone, so a phone that trusts it trusts it for nothing else.
"""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portero.project.environment import make_private_folder, write_private
from portero.project.supervisor import Program

_SHIPPED = Path(__file__).parents[4] / "deploy" / "Caddyfile"
_UNPACKED = Path(__file__).parents[4] / ".venv" / "debian" / "usr" / "bin"
_AUTHORITY_LASTS, _LASTS = timedelta(days=730), timedelta(days=90)
_PEM = serialization.Encoding.PEM
AUTHORITY = "authority.crt"


class NoProxy(Exception):
    """Caddy is not here; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Lan:
    """Where the demo is reached from: `port` by https, the one after it to get the authority."""

    name: str
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"https://{self.name}:{self.port}"

    @property
    def authority_url(self) -> str:
        """Without https, which a phone does not take before it has the authority."""
        return f"http://{self.name}:{self.port + 1}/{AUTHORITY}"


def own_name() -> str:
    """By which this machine is found in its network without a name server (mDNS)."""
    return f"{socket.gethostname().partition('.')[0].lower()}.local"


def prepare(lan: Lan, *, console: int, gateway: int, live: int) -> Program:
    """Write certificates and Caddy's configuration; returns what to run. Raises NoProxy."""
    caddy = shutil.which(
        "caddy", path=os.pathsep.join([os.environ.get("PATH", ""), str(_UNPACKED)])
    )
    if caddy is None:
        raise NoProxy("a phone needs https, and that needs Caddy: apt-get install caddy")
    make_private_folder(lan.folder)
    _certify(lan)
    ports = {"8000": console, "8001": gateway, "8003": live}
    write_private(lan.folder / "Caddyfile", _configuration(lan, ports))
    return Program(
        name="caddy",
        command=(caddy, "run", "--config", str(lan.folder / "Caddyfile"), "--adapter", "caddyfile"),
        environment={"PATH": os.environ.get("PATH", ""), "HOME": str(lan.folder)},
        answers=partial(_listens, lan.port),
    )


def _configuration(lan: Lan, ports: dict[str, int]) -> str:
    text = _SHIPPED.read_text()
    for shipped, ours in ports.items():
        text = text.replace(f"127.0.0.1:{shipped}", f"127.0.0.1:{ours}")
    text = text.replace("/var/log/caddy/portero.log", str(lan.folder / "access.log"))
    tls = f"tls {lan.folder}/certificate.pem {lan.folder}/key.pem"
    text = text.replace("https://wa.example.com {", f"{lan.url} {{\n\t{tls}")
    return text + (
        f"\nhttp://:{lan.port + 1} {{\n\thandle /{AUTHORITY} {{\n\t\troot * {lan.folder}/public\n"
        "\t\theader Content-Type application/x-x509-ca-cert\n\t\tfile_server\n\t}\n}\n"
    )


def _certify(lan: Lan) -> None:
    """The authority is made once, so that a phone takes it once; the certificate at each start."""
    authority, key = lan.folder / "public" / AUTHORITY, lan.folder / "authority.key"
    if not (authority.exists() and key.exists() and _speaks_for(authority, lan.name)):
        authority.parent.mkdir(exist_ok=True)
        _make_authority(lan.name, authority, key)
    issuer = x509.load_pem_x509_certificate(authority.read_bytes())
    signer = serialization.load_pem_private_key(key.read_bytes(), password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)  # noqa: S101 - we made it
    own = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _begun(lan.name, own.public_key(), issuer.subject, _LASTS)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(lan.name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    write_private(lan.folder / "certificate.pem", certificate.public_bytes(_PEM).decode())
    write_private(lan.folder / "key.pem", _private(own))


def _speaks_for(authority: Path, name: str) -> bool:
    certificate = x509.load_pem_x509_certificate(authority.read_bytes())
    limits = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    is_fresh = certificate.not_valid_after_utc > datetime.now(UTC) + _LASTS
    return limits.permitted_subtrees == [x509.DNSName(name)] and is_fresh


def _make_authority(name: str, path: Path, key_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    called = f"Portero demo, for {name} alone"
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, called)])
    limits = x509.NameConstraints(permitted_subtrees=[x509.DNSName(name)], excluded_subtrees=None)
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _begun(called, key.public_key(), issuer, _AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(limits, critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(_PEM))
    write_private(key_path, _private(key))


def _begun(
    name: str, key: ec.EllipticCurvePublicKey, issuer: x509.Name, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
