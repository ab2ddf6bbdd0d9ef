"""O04: the data of the release before is brought to this one while the processes of that one serve."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.installations import ports_in_a_row
from e2e.signing_in import code_of
from gateway.house import free_port
from portero.project.environment import FILE
from portero.project.postgres import Cluster

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
PREVIOUS = "bdf17f495b"
"""The release before this one. It moves on when this one is done."""
START_S = 180
BEFORE_S, AFTER_S = 3.0, 5.0
PATIENCE_S = 10.0
"""As clients have: a call may wait for a migration, and must be answered."""


@dataclass
class Load:
    """Requests one after the other in threads of their own, until told to stop."""

    stop: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[str, int | str, float]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, url: str, **more: Any) -> httpx.Client:
        made = httpx.Client(base_url=url, timeout=PATIENCE_S, **more)
        self.clients.append(made)
        return made

    def keep(self, name: str, ask: Callable[[], int]) -> None:
        thread = threading.Thread(target=self._ask, args=(name, ask), daemon=True)
        self.threads.append(thread)
        thread.start()

    def _ask(self, name: str, ask: Callable[[], int]) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            status: int | str
            try:
                status = ask()
            except httpx.HTTPError as error:
                status = type(error).__name__
            self.answers.append((name, status, time.monotonic() - began))
            time.sleep(0.02)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE_S * 2)
        for client in self.clients:
            client.close()

    def failed(self) -> list[tuple[str, int | str, float]]:
        return [one for one in self.answers if one[1] != 200]

    def asked(self) -> dict[str, int]:
        return {n: sum(one[0] == n for one in self.answers) for n in {a[0] for a in self.answers}}


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the release before."""
    archived = subprocess.run(
        ["git", "-C", str(ROOT), "archive", PREVIOUS, "src"], capture_output=True, check=False
    )
    if archived.returncode != 0:
        pytest.skip("the release before is in no history here")
    folder = tmp_path_factory.mktemp("previous")
    folder.chmod(0o755)
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def command(source: Path, *arguments: str) -> list[str]:
    code = "import sys; from portero.project.cli import main; sys.exit(main())"
    return ["env", f"PYTHONPATH={source}", sys.executable, "-P", "-c", code, *arguments]


@contextmanager
def demo(source: Path, folder: Path) -> Iterator[Mapping[str, Any]]:
    """A whole installation of a release, lived in."""
    told = folder / "told.json"
    arguments = ["demo", "--data", str(folder / "demo"), "--port", str(ports_in_a_row())]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig=INT", *command(source, *arguments, "--json", str(told))],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + START_S
        while not told.exists():
            assert process.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < deadline, (folder / "output").read_text()
            time.sleep(0.1)
        yield json.loads(told.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def sending(load: Load, document: Mapping[str, Any], url: str) -> Callable[[], int]:
    [key] = [one["key"] for one in document["keys"] if one["name"] == "all"]
    number = document["numbers"][0]["phone_number_id"]
    client = load.client(url, headers={"authorization": f"Bearer {key}"})
    message = {"messaging_product": "whatsapp", "to": "525512345678", "type": "text"}
    body = {**message, "text": {"body": "hola"}}
    return lambda: client.post(f"/v23.0/{number}/messages", json=body).status_code


def looking(load: Load, document: Mapping[str, Any], path: str) -> Callable[[], int]:
    """A page of the console, as its owner."""
    person = document["people"][0]
    client = load.client(document["console_url"], follow_redirects=True)
    page = client.get("/login/")
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[0]
    form = {"login": person["email"], "password": person["password"]}
    page = client.post("/login/", data={**form, "csrfmiddlewaretoken": token})
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[0]
    code = {"code": code_of(person["totp_secret"]), "csrfmiddlewaretoken": token}
    page = client.post(str(page.url), data=code)
    assert page.status_code == 200, page.text
    assert "/login" not in str(page.url)

    def ask() -> int:
        answer = client.get(path)
        return answer.status_code if str(answer.url).endswith(path) else -1

    return ask


def test_o04_not_one_request_fails_while_its_data_becomes_this_releases(
    previous: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    with demo(previous, tmp_path) as document:
        load = Load()
        for _ in range(2):
            load.keep("old gateway", sending(load, document, document["gateway_url"]))
        page = looking(load, document, "/people/")
        load.keep("old console", page)
        time.sleep(BEFORE_S)
        before = load.asked()

        began = time.monotonic()
        migrated = portero(tmp_path / "demo", "migrate")
        took_s = time.monotonic() - began
        during = load.asked()
        other = tmp_path / "other"
        other.mkdir()
        with gateway_of_this_release(tmp_path / "demo", other) as url:
            load.keep("new gateway", sending(load, document, url))
            time.sleep(AFTER_S)
            load.end()

    print(f"migrated in {took_s:.1f} s: {before} before, {during} then, {load.asked()} in all")  # noqa: T201 - what it came to
    assert migrated.returncode == 0, migrated.stderr
    assert load.failed() == []
    assert all(load.asked()[name] > during[name] > before[name] > 0 for name in before)
    assert load.asked()["new gateway"] > 0


def portero(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).with_name("portero")
    return subprocess.run(
        [script, "--state", str(state), *arguments],
        capture_output=True, text=True, check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith(("PORTERO_STATE", "DATABASE"))},
    )  # fmt: skip


@contextmanager
def gateway_of_this_release(state: Path, folder: Path) -> Iterator[str]:
    """On another machine, as it were, before the same database."""
    shutil.copytree(state / "secrets", folder / "secrets")
    shutil.copy(state / FILE, folder / FILE)
    port = free_port()
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("portero"),
            "--state",
            str(folder),
            "serve",
            "gateway",
            "--json",
        ],
        env={
            **os.environ,
            "DATABASE_URL": Cluster(state).dsn("superuser", "postgres"),
            "PORTERO_GATEWAY_LISTEN": f"127.0.0.1:{port}",
        },
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()  # once it answers
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
