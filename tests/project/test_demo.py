"""The demo: up in a moment, and its keys do exactly what is said of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.installations import Demo, demo

PORTERO = Path(sys.executable).with_name("portero")
LUCIA, PEDRO = "525512345678", "34600111222"
TEXT = {"type": "text", "text": {"body": "hola"}}
IMAGE = {"type": "image", "image": {"link": "https://tienda-andina.example/foto.jpg"}}
LIST = {
    "type": "interactive",
    "interactive": {
        "type": "list",
        "body": {"text": "Elige"},
        "action": {
            "button": "Ver",
            "sections": [{"title": "A", "rows": [{"id": "1", "title": "Uno"}]}],
        },
    },
}


def template(name: str, language: str = "es_MX") -> dict[str, Any]:
    return {"type": "template", "template": {"name": name, "language": {"code": language}}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    began = time.monotonic()
    with demo(tmp_path_factory.mktemp("d")) as made:
        print(f"\nthe demo was ready in {time.monotonic() - began:.1f} s")  # noqa: T201
        yield made


def key_of(running: Demo, name: str) -> str:
    [key] = [one["key"] for one in running.document["keys"] if one["name"] == name]
    text: str = key
    return text


def send(
    running: Demo, name: str, message: dict[str, Any], *, to: str = LUCIA, number: int = 0
) -> int:
    """The status, 200 or that of the refusal."""
    chosen = running.document["numbers"][number]["phone_number_id"]
    return httpx.post(
        f"{running.document['gateway_url']}/v23.0/{chosen}/messages",
        json={"messaging_product": "whatsapp", "to": to, **message},
        headers={"authorization": f"Bearer {key_of(running, name)}"},
        timeout=30,
    ).status_code


def get(running: Demo, name: str, path: str, **params: str) -> int:
    headers = (
        {} if "access_token" in params else {"authorization": f"Bearer {key_of(running, name)}"}
    )
    url = f"{running.document['gateway_url']}/v23.0/{path}"
    return httpx.get(url, params=params, headers=headers, timeout=30).status_code


def test_the_document_has_the_shape_others_rely_on(running: Demo) -> None:
    told = running.document

    assert set(told) == {
        "console_url", "gateway_url", "sandbox_url", "workspace", "waba_id", "app_secret",
        "verify_token", "numbers", "people", "keys",
    }  # fmt: skip
    assert told["workspace"]["name"] == "Tienda Andina"
    assert [number["name"] for number in told["numbers"]] == ["Ventas", "Soporte"]
    assert all(
        set(n) == {"phone_number_id", "display_phone_number", "name"} for n in told["numbers"]
    )
    assert [key["name"] for key in told["keys"]] == [
        "all", "orders-bot", "support-text", "reader", "slow", "expired", "revoked",
    ]  # fmt: skip
    ids = [told["waba_id"], *(number["phone_number_id"] for number in told["numbers"])]
    assert all(one.isdigit() and len(one) <= 15 for one in ids)
    roles = {person["role"] for person in told["people"]}
    assert roles >= {"Administrator", "Agent", "Developer", "Analyst", "Support"}
    assert len(roles) == 6
    assert (running.folder / "demo.json").stat().st_mode & 0o777 == 0o600


def test_everything_answers(running: Demo) -> None:
    at_the_door = httpx.get(running.console, timeout=30, follow_redirects=True)
    assert (at_the_door.status_code, at_the_door.url.path) == (200, "/login/")
    assert httpx.get(f"{running.document['gateway_url']}/-/health", timeout=30).status_code == 200
    assert running.ledger() is not None


def test_all_sends_every_type_from_both_numbers_and_may_come_in_the_query(running: Demo) -> None:
    for number in (0, 1):
        for message in (
            TEXT,
            IMAGE,
            LIST,
            template("order_update"),
            template("hello_world", "en_US"),
        ):
            assert send(running, "all", message, number=number) == 200
    waba = running.document["waba_id"]
    assert get(running, "all", f"{waba}/message_templates") == 200
    assert get(running, "all", f"{waba}/phone_numbers", access_token=key_of(running, "all")) == 200


def test_orders_bot_sends_one_template_from_ventas_to_mexico(running: Demo) -> None:
    assert send(running, "orders-bot", template("order_update")) == 200
    for refused in (
        {"message": template("hello_world", "en_US")},
        {"message": TEXT},
        {"message": template("order_update"), "number": 1},
        {"message": template("order_update"), "to": PEDRO},
    ):
        assert send(running, "orders-bot", **refused) == 403
    assert get(running, "orders-bot", f"{running.document['waba_id']}/message_templates") == 403


def test_support_text_writes_from_soporte_without_media(running: Demo) -> None:
    assert send(running, "support-text", TEXT, number=1) == 200
    assert send(running, "support-text", TEXT, number=0) == 403
    assert send(running, "support-text", IMAGE, number=1) == 403
    assert send(running, "support-text", template("order_update"), number=1) == 403


def test_reader_lists_and_reads_and_sends_nothing(running: Demo) -> None:
    waba, number = running.document["waba_id"], running.document["numbers"][0]["phone_number_id"]
    for path in (f"{waba}/message_templates", f"{waba}/phone_numbers", number, waba):
        assert get(running, "reader", path) == 200, path
    assert send(running, "reader", TEXT) == 403
    assert send(running, "reader", template("order_update")) == 403


def test_slow_is_slow(running: Demo) -> None:
    assert [send(running, "slow", TEXT), send(running, "slow", TEXT)] == [200, 429]
    for _ in range(4):
        time.sleep(1.05)
        assert send(running, "slow", TEXT) == 200
    time.sleep(1.05)
    assert send(running, "slow", TEXT) == 429


@pytest.mark.parametrize("name", ["expired", "revoked"])
def test_expired_and_revoked_do_nothing(running: Demo, name: str) -> None:
    before = len(running.ledger())
    assert send(running, name, TEXT) == 401
    assert get(running, name, running.document["waba_id"]) == 401
    assert len(running.ledger()) == before


def test_a_key_made_on_the_command_line_works_at_once_and_ends_at_once(running: Demo) -> None:
    made = portero(
        running, "key", "create", "probe", "--new-account", "probe", "--role", "Messaging",
        "--number", "Ventas", "--json",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)["key"]
    number = running.document["numbers"][0]["phone_number_id"]

    def attempt() -> int:
        return httpx.post(
            f"{running.document['gateway_url']}/v23.0/{number}/messages",
            json={"messaging_product": "whatsapp", "to": LUCIA, **template("order_update")},
            headers={"authorization": f"Bearer {key}"},
            timeout=30,
        ).status_code

    assert attempt() == 200
    assert portero(running, "key", "revoke", "probe").returncode == 0
    assert attempt() == 401


def portero(running: Demo, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(PORTERO), "--state", str(running.folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_why_and_doctor_answer(running: Demo) -> None:
    refused = portero(running, "why", "orders-bot", "send:text", "--number", "Ventas", "--json")
    allowed = portero(running, "why", "all", "send:text", "--number", "Ventas", "--json")

    assert (refused.returncode, allowed.returncode) == (1, 0)
    assert json.loads(refused.stdout)["reason"] == "permission_missing"
    assert portero(running, "doctor").returncode == 0


def test_a_gateway_that_is_killed_is_back_within_five_seconds(running: Demo) -> None:
    [gateway, *_] = _children_named("gateway", running)
    began = time.monotonic()
    os.kill(gateway, signal.SIGKILL)

    while True:
        assert time.monotonic() - began < 5
        try:
            if send(running, "all", TEXT) == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)


def _children_named(name: str, running: Demo) -> list[int]:
    """Pids of the demo's processes that run a program of this name."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if name.encode() in words and str(running.folder).encode() in environment:
            found.append(int(folder.name))
    return sorted(found)


def test_a_second_demo_on_the_same_folder_is_refused_in_one_sentence(running: Demo) -> None:
    done = subprocess.run(
        [str(PORTERO), "demo", "--data", str(running.folder), "--port", "1"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr


def test_everything_is_still_there_after_a_restart(tmp_path: Path) -> None:
    with demo(tmp_path) as first:
        assert send(first, "all", TEXT) == 200
    (tmp_path / "told.json").unlink()
    with demo(tmp_path) as second:
        assert second.document["keys"] == first.document["keys"]
        assert second.document["workspace"] == first.document["workspace"]
        assert send(second, "all", TEXT) == 200
