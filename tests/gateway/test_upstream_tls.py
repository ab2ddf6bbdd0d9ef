"""The upstream client over TLS."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.scripted import (
    OK,
    QUICK,
    Revoked,
    allow,
    get,
    run,
    serving,
)
from portero.gateway.upstream import (
    NotSent,
    Upstream,
)


def certificate(folder: Path, name: x509.GeneralName) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A self-signed certificate: the server's context, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


def test_over_tls_the_check_still_comes_before_the_first_byte(tmp_path: Path) -> None:
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    server_tls, client_tls = certificate(tmp_path, address)

    async def test() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await server.head(reader)
                writer.write(OK)

        async with serving(script, tls=server_tls) as server:
            upstream = Upstream([server.origin], ssl_context=client_tls, limits=QUICK)

            def object_() -> None:
                raise Revoked

            with pytest.raises(Revoked):
                await upstream.send(get(server), before_first_byte=object_)
            await asyncio.sleep(0.05)
            assert server.seen == b""
            assert server.connections == 1

            for _ in range(2):
                response = await upstream.send(get(server), before_first_byte=allow)
                assert response.body == b"ok"
            assert server.connections == 1
            await upstream.close()

    run(test)


@pytest.mark.parametrize("trusted", [True, False])
def test_b4_8_a_certificate_of_another_name_or_an_unknown_issuer_is_not_sent(
    tmp_path: Path, trusted: bool
) -> None:
    right = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    name = x509.DNSName("graph.facebook.com") if trusted else right
    server_tls, client_tls = certificate(tmp_path, name)

    async def test() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.head(reader)

        async with serving(script, tls=server_tls) as server:
            context = client_tls if trusted else None
            upstream = Upstream([server.origin], ssl_context=context, limits=QUICK)

            with pytest.raises(NotSent, match="tls_failed"):
                await upstream.send(get(server), before_first_byte=allow)
            assert server.seen == b""
            await upstream.close()

    run(test)
