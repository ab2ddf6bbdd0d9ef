"""Mail on its way to a real server: the worker dies in the midst of it, the server refuses or goes."""

from __future__ import annotations

import asyncio
import email
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from itertools import count
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller
from procrastinate.contrib.django.models import ProcrastinateJob

from cast import Cast, playing
from databases import Database
from portero.domain.accounts import services as accounts
from portero.domain.notices import tasks
from portero.domain.notices.services.listening import QUEUE, SEND
from portero.project.configuration import create_secrets
from portero.store.sealing import KeyRing

_numbers = count()


@dataclass
class Server:
    """A mail server: what it took, and what it does with the next ones."""

    taken: list[Message] = field(default_factory=list)
    offered: threading.Event = field(default_factory=threading.Event)
    """That a whole mail has come, of which it has said nothing yet."""
    answers: list[str] = field(default_factory=list)
    """What it says to the next ones, instead of taking them."""
    may_answer: threading.Event = field(default_factory=threading.Event)
    keeps_before_it_answers: bool = False
    port: int = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        mail = email.message_from_bytes(envelope.content)
        if self.keeps_before_it_answers:
            self.taken.append(mail)
        self.offered.set()
        while not self.may_answer.is_set():
            await asyncio.sleep(0.01)
        if self.answers:
            return self.answers.pop(0)
        if not self.keeps_before_it_answers:
            self.taken.append(mail)
        return "250 OK"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        made.port = probe.getsockname()[1]
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    yield made
    made.may_answer.set()
    controller.stop(no_assert=True)


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    state = shared_database.cluster.state
    create_secrets(state)
    kek = KeyRing.parse((state / "secrets" / "kek").read_text().strip())
    with playing(shared_database, kek=kek) as made:
        yield made


Worker = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def worker(shared_database: Database, cast: Cast, server: Server) -> Iterator[Worker]:
    """Starts the process that an installation runs."""
    running: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "PORTERO_STATE": str(shared_database.cluster.state),
        "PORTERO_DATABASE": shared_database.name,
        "PORTERO_MAIL_URL": f"smtp://127.0.0.1:{server.port}",
    }

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "portero.project.child", str(os.getpid()), "worker"]
        running.append(subprocess.Popen(command, env=environment))
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.wait()


def invite(cast: Cast) -> str:
    address = f"{next(_numbers)}@mail.example"
    guest = accounts.Guest(address, "Guest", cast.role("Agent"))
    accounts.invite(actor=cast.ana, guests=[guest])
    return address


def until(holds: Callable[[], bool], within_s: float = 40) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill(one: subprocess.Popen[bytes]) -> None:
    one.send_signal(signal.SIGKILL)
    one.wait()


def half_a_minute_later(database: Database) -> None:
    """What a worker that died left is taken up again once its heart has not beaten for so long."""
    with psycopg.connect(database.dsn()) as connection:
        connection.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds'"
        )
    tasks.sweep.defer(timestamp=0)


def mails_wait() -> bool:
    waiting = ProcrastinateJob.objects.filter(queue_name=QUEUE, status__in=["todo", "doing"])
    return bool(waiting.exists())


def link_in(mail: Message) -> str:
    found = re.search(r"https?://\S+/welcome/(\S+)", mail.get_payload(decode=True).decode())  # type: ignore[union-attr]
    assert found
    return found[1]


def test_a_mail_comes_whole_over_a_real_connection(
    cast: Cast, worker: Worker, server: Server
) -> None:
    server.may_answer.set()
    worker()

    address = invite(cast)

    until(lambda: len(server.taken) == 1 and not mails_wait())
    [mail] = server.taken
    assert mail["To"] == address
    assert mail["Message-ID"].endswith("@localhost>")
    assert accounts.bearer_of(link_in(mail)).person.email == address


def test_a_worker_that_is_killed_before_the_server_took_a_mail_loses_none_and_sends_one(
    cast: Cast, worker: Worker, server: Server, shared_database: Database
) -> None:
    first = worker()
    address = invite(cast)
    until(server.offered.is_set)

    kill(first)
    server.may_answer.set()  # to nobody: what was offered is not taken
    worker()
    half_a_minute_later(shared_database)

    until(lambda: not mails_wait())
    assert [mail["To"] for mail in server.taken] == [address]


def test_a_worker_that_is_killed_after_the_server_took_a_mail_sends_the_same_mail_again(
    cast: Cast, worker: Worker, server: Server, shared_database: Database
) -> None:
    """Nobody can know whether it was taken: it comes twice, under one name, and the later link works."""
    server.keeps_before_it_answers = True
    first = worker()
    address = invite(cast)
    until(server.offered.is_set)

    kill(first)
    server.may_answer.set()
    worker()
    half_a_minute_later(shared_database)

    until(lambda: not mails_wait())
    assert [mail["To"] for mail in server.taken] == [address] * 2
    assert len({mail["Message-ID"] for mail in server.taken}) == 1
    assert accounts.bearer_of(link_in(server.taken[1])).person.email == address


def test_two_workers_send_one_mail_once(
    cast: Cast, worker: Worker, server: Server, shared_database: Database
) -> None:
    """Also while one of them is at it for long: as long as its heart beats, nobody takes over."""
    worker()
    invite(cast)
    until(server.offered.is_set)
    worker()
    tasks.sweep.defer(timestamp=0)
    until(lambda: not ProcrastinateJob.objects.filter(task_name="notices.sweep", status="todo"))
    time.sleep(1)
    server.may_answer.set()

    until(lambda: not mails_wait())
    assert len(server.taken) == 1


def test_a_mail_that_the_server_will_not_take_yet_is_offered_again(
    cast: Cast, worker: Worker, server: Server
) -> None:
    server.may_answer.set()
    server.answers.append("451 come back later")
    worker()

    address = invite(cast)

    until(lambda: [mail["To"] for mail in server.taken] == [address])
    assert server.answers == []
    assert not ProcrastinateJob.objects.filter(task_name=SEND, status="failed").exists()
