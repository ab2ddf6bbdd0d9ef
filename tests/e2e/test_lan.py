"""The demo as a phone in the same network reaches it."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from e2e.installations import _TETHERED, ports_in_a_row
from portero.project.demo.lan import Lan, _certify
from programs import needed

pytestmark = pytest.mark.e2e

NAME = "localhost"
START_S = 180


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    needed("caddy")
    folder = tmp_path_factory.mktemp("lan")
    told, output = folder / "told.json", folder / "output"
    arguments = [
        "--data",
        str(folder / "demo"),
        "--port",
        str(ports_in_a_row(6)),
        "--json",
        str(told),
    ]
    with output.open("wb") as writing:
        process = subprocess.Popen(
            [*_TETHERED, Path(sys.executable).with_name("portero"), "demo", "--lan", "--name", NAME,
             *arguments],
            stdin=subprocess.DEVNULL, stdout=writing, stderr=writing,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_S
        while not told.exists():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        yield folder, json.loads(told.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_a_phone_takes_the_authority_and_comes_in_by_https(
    shop: tuple[Path, dict[str, Any]],
) -> None:
    folder, document = shop
    url = document["console_url"]
    port = int(url.rpartition(":")[2])
    authority = httpx.get(f"http://{NAME}:{port + 1}/authority.crt", timeout=30)
    trust = ssl.create_default_context(cadata=authority.text)
    [key] = [one["key"] for one in document["keys"] if one["name"] == "all"]
    message = {"messaging_product": "whatsapp", "to": "525512345678", "type": "text"}

    with httpx.Client(base_url=url, verify=trust, timeout=30) as phone:
        page = phone.get("/login/")
        sent = phone.post(
            f"/v23.0/{document['numbers'][0]['phone_number_id']}/messages",
            json={**message, "text": {"body": "hola"}},
            headers={"authorization": f"Bearer {key}"},
        )
        streams = phone.get("/live/health")
        mailbox = phone.get("/mailbox/")

    assert authority.headers["content-type"] == "application/x-x509-ca-cert"
    assert url == document["gateway_url"] == f"https://{NAME}:{port}"
    assert (page.status_code, sent.status_code, streams.status_code) == (200, 200, 200)
    assert "__Host-portero_csrf" in page.cookies
    assert mailbox.status_code == 404
    assert f"http://{NAME}:{port + 1}/authority.crt" in (folder / "output").read_text()


def test_nothing_else_of_the_folder_is_given_away(shop: tuple[Path, dict[str, Any]]) -> None:
    _, document = shop
    base = f"http://{NAME}:{int(document['console_url'].rpartition(':')[2]) + 1}"

    for path in ("/", "/authority.key", "/../authority.key", "/authority.crt/../../authority.key",
                 "/public/authority.crt", "/Caddyfile", "/login/", "/v23.0/me"):  # fmt: skip
        answer = httpx.get(f"{base}{path}", timeout=30)
        assert "BEGIN" not in answer.text, path
        assert answer.text == "", path


def test_the_authority_is_made_once_and_speaks_for_one_name(tmp_path: Path) -> None:
    lan = Lan("phone.local", 1, tmp_path)
    _certify(lan)
    made = (tmp_path / "public" / "authority.crt").read_bytes()
    _certify(lan)
    again = (tmp_path / "public" / "authority.crt").read_bytes()
    _certify(Lan("other.local", 1, tmp_path))
    other = (tmp_path / "public" / "authority.crt").read_bytes()

    limits = x509.load_pem_x509_certificate(made).extensions.get_extension_for_class(
        x509.NameConstraints
    )
    assert made == again != other
    assert limits.critical
    assert limits.value.permitted_subtrees == [x509.DNSName("phone.local")]
    assert (tmp_path / "authority.key").stat().st_mode & 0o777 == 0o600
