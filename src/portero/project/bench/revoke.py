"""`portero bench revoke`: from the return of a revocation to a refusal in every other process."""

from __future__ import annotations

import http.client
import json
import os
import select
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

from portero.project.bench.load import Request, open_loop
from portero.project.bench.machine import lone_commit_ms, machine
from portero.project.bench.measuring import Contestant, NotMeasured, Results, take_turns
from portero.project.bench.report import Report
from portero.project.bench.stand import NUMBERS, Stand, accepts, child, free_port, stand, wait_for

PROCESSES = 4
RATE = 100.0
SERVICE = "by the service, as the console does"
DOOR = "by who holds the key, at the gateway's door"
_TO_FIRST = "from its return to a refusal, ms"
_TO_LAST = "to a refusal by every process, ms"
_USUAL = "a later refusal by every process, ms"
_TO_RETURN = "until it returned, ms"
_COMMIT = "lone commit ms"
_MOST_CONNECTIONS = 400
_DOOR = "/-/keys/revoke"


@dataclass(slots=True)
class _Taken:
    """What all rounds of one way of revoking came to.

    Attributes:
        usual_ms: what it takes to be refused by every process once that is old news.
        after: sends that succeeded although they were begun after it.
    """

    to_first_ms: list[float] = field(default_factory=list)
    to_last_ms: list[float] = field(default_factory=list)
    usual_ms: list[float] = field(default_factory=list)
    to_return_ms: list[float] = field(default_factory=list)
    after: int = 0


class _Answers(NamedTuple):
    """Of each process, and when the first and the last of them came."""

    statuses: list[int]
    first: float
    last: float


class _Keymaster:
    """The services, in a process of their own."""

    def __init__(self, process: subprocess.Popen[str], place: Stand) -> None:
        self._process = process
        self._tell([place.shop[name] for name in ("workspace", "owner", "account")])

    def make(self, count: int) -> list[tuple[str, str]]:
        return [(key, text) for key, text in self._ask("make", count)]

    def revoke(self, key: str) -> tuple[float, float]:
        """When it began and when it had returned, by the clock all processes share."""
        began, returned = self._ask("revoke", key)
        return began, returned

    def _ask(self, command: str, argument: object) -> Any:
        self._tell([command, argument])
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        return json.loads(self._process.stdout.readline())

    def _tell(self, what: object) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()


class _Probe:
    """One connection to each gateway process."""

    def __init__(self, place: Stand) -> None:
        self._at = urlsplit(place.url)
        self._lines = _one_to_each(self._connect, [one.pid for one in place.gateways])

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._at.hostname or "", self._at.port, timeout=30)
        connection.connect()
        return connection

    def close(self) -> None:
        for line in self._lines:
            line.close()

    def ask(self, key: str) -> _Answers:
        """Send by each process at once, and wait until all have answered."""
        path, body, headers = _message(key)
        for line in self._lines:
            line.request("POST", path, body, headers)
        waiting, at, statuses = {line.sock: line for line in self._lines}, [], []
        while waiting:
            ready, _, _ = select.select(list(waiting), [], [], 30)
            at += [time.monotonic()] * len(ready)
            for sock in ready:
                with waiting.pop(sock).getresponse() as answer:
                    answer.read()
                    statuses.append(answer.status)
        return _Answers(statuses, at[0], at[-1])

    def revoke_at_the_door(self, key: str, number: int) -> tuple[float, float]:
        """The door hears each address a few times a minute, so each asks from one of its own."""
        source = (f"127.0.{1 + number // 250}.{1 + number % 250}", 0)
        line = http.client.HTTPConnection(
            self._at.hostname or "", self._at.port, timeout=30, source_address=source
        )
        line.connect()
        began = time.monotonic()
        line.request("POST", _DOOR, json.dumps({"key": key}))
        with line.getresponse() as answer:
            answer.read()
            returned = time.monotonic()
            if answer.status != 200:
                raise NotMeasured(f"the door answered {answer.status}")
        line.close()
        return began, returned


def run(*, rounds: int, quick: bool, progress: Callable[[str], None]) -> Report:
    """Revoke again and again under load, from outside and from within a gateway process."""
    report = Report("revoke", machine())
    count = 3 if quick else 40
    taken = {SERVICE: _Taken(), DOOR: _Taken()}
    with ExitStack() as stack:
        upstream = free_port()
        slow = [sys.executable, "-P", "-m", "portero.project.bench.slow", str(upstream), "0"]
        stack.enter_context(child(slow))
        wait_for(lambda: accepts(upstream))
        place = stack.enter_context(stand(f"http://127.0.0.1:{upstream}", processes=PROCESSES))
        keymaster = stack.enter_context(_keymaster(place))
        probe = stack.enter_context(closing(_Probe(place)))
        load = stack.enter_context(_under_load(place))
        ways = {
            SERVICE: lambda key, _text, _number: keymaster.revoke(key),
            DOOR: lambda _key, text, number: probe.revoke_at_the_door(text, number),
        }
        results = take_turns(
            [
                Contestant(
                    name, partial(_round, way, keymaster, probe, taken[name], count, place.dsn)
                )
                for name, way in ways.items()
            ],
            rounds=rounds,
            progress=progress,
        )
    title = f"{PROCESSES} gateway processes under {RATE:g} messages a second"
    report.sections.append((title, results))
    for name, all_of_it in taken.items():
        _claim(report, name, all_of_it, results)
    report.notes.append(
        f"{len(taken[SERVICE].to_return_ms)} and {len(taken[DOOR].to_return_ms)} revocations; each key"
        " was used in every process just before. The goals are over all of them, not over rounds."
    )
    report.notes.append(
        f"The load was {sum(load):,} messages, all of them by another key of the same workspace, so"
        " each was decided anew after each change."
    )
    return report


def _claim(report: Report, name: str, taken: _Taken, results: Results) -> None:
    def p99(values: Sequence[float]) -> float:
        results.median(name, _TO_FIRST)  # says why when it was not measured
        return _percentile(values, 99)

    report.claim(
        f"{name}: 99th percentile from its return to the first refusal in another process, ms",
        lambda: p99(taken.to_first_ms),
        "≤",
        5.0,
    )
    report.claim(
        f"{name}: how much longer every process took than for a later refusal, 99th percentiles, ms",
        lambda: p99(taken.to_last_ms) - p99(taken.usual_ms),
        "≤",
        5.0,
    )
    report.claim(f"{name}: messages sent that were begun after it", lambda: taken.after, "≤", 0)


def _round(
    revoke: Callable[[str, str, int], tuple[float, float]],
    keymaster: _Keymaster,
    probe: _Probe,
    taken: _Taken,
    count: int,
    dsn: str,
) -> Mapping[str, float]:
    """So many keys made, used everywhere, revoked, and used once more."""
    firsts, lasts, usual, returns = list[float](), list[float](), list[float](), list[float]()
    for key, text in keymaster.make(count):
        if set(probe.ask(text).statuses) != {200}:
            raise NotMeasured("a new key was not accepted in every process")
        began, returned = revoke(key, text, len(taken.to_return_ms) + len(returns))
        answers = probe.ask(text)
        asked = time.monotonic()
        again = probe.ask(text)
        firsts.append((answers.first - returned) * 1000)
        lasts.append((answers.last - returned) * 1000)
        usual.append((again.last - asked) * 1000)
        returns.append((returned - began) * 1000)
        taken.after += answers.statuses.count(200)
        if not set(answers.statuses) <= {200, 401}:
            raise NotMeasured(f"a revoked key was answered {answers.statuses}")
    taken.to_first_ms += firsts
    taken.to_last_ms += lasts
    taken.usual_ms += usual
    taken.to_return_ms += returns
    return {
        _TO_FIRST: statistics.median(firsts),
        _TO_LAST: statistics.median(lasts),
        _USUAL: statistics.median(usual),
        _TO_RETURN: statistics.median(returns),
        _COMMIT: lone_commit_ms(dsn, count=50),
    }


def _one_to_each(
    connect: Callable[[], http.client.HTTPConnection], pids: Sequence[int]
) -> list[http.client.HTTPConnection]:
    """The kernel gives a connection to any of them: make more until each has one."""
    made: list[http.client.HTTPConnection] = []
    found: dict[int, http.client.HTTPConnection] = {}
    while len(found) < len(pids):
        if len(made) == _MOST_CONNECTIONS:
            raise NotMeasured("a gateway process never accepted a connection")
        made += [connect() for _ in range(2 * len(pids))]
        for line in made[-2 * len(pids) :]:
            line.request("GET", "/-/health")
            line.getresponse().read()
        port_of = {line.sock.getsockname()[1]: line for line in made}
        for pid in pids:
            for one in psutil.Process(pid).net_connections("tcp"):
                # A socket that only listens has an empty address on the other side.
                for port in set(tuple(one.raddr)[1:]) & port_of.keys():
                    found.setdefault(pid, port_of[port])
    for line in made:
        if line not in found.values():
            line.close()
    return list(found.values())


def _percentile(values: Sequence[float], percent: int) -> float:
    ranked = sorted(values)
    return ranked[(len(ranked) - 1) * percent // 100]


def _message(key: str) -> tuple[str, bytes, dict[str, str]]:
    body = {
        "messaging_product": "whatsapp",
        "to": "5215512345678",
        "type": "text",
        "text": {"body": "Su pedido va en camino."},
    }
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return f"/v23.0/{NUMBERS[0]}/messages", json.dumps(body).encode(), headers


@contextmanager
def _keymaster(place: Stand) -> Iterator[_Keymaster]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "portero.project.bench.keymaster"],
        env=_environment(place),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield _Keymaster(process, place)
        finally:
            assert process.stdin is not None  # noqa: S101 - it is a pipe
            process.stdin.close()


def _environment(place: Stand) -> dict[str, str]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("PORTERO_", "DATABASE_URL"))}
    kept |= {n: v for n, v in os.environ.items() if n.startswith("PORTERO_PG_")}
    here = {"PORTERO_STATE": str(place.state)}
    return {**kept, **here, "DJANGO_SETTINGS_MODULE": "portero.project.settings"}


@contextmanager
def _under_load(place: Stand) -> Iterator[list[int]]:
    """Messages by the shop's own key all the while; gives how many, second by second."""
    path, body, headers = _message(place.shop["key"])
    mix = [Request(path=path, headers=headers, body=body)]
    ended, sent = threading.Event(), list[int]()

    def go_on() -> None:
        while not ended.is_set():
            load = open_loop(place.url, mix, rate=RATE, seconds=2, connections=16)
            sent.append(load.requests - load.refused)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield sent
    finally:
        ended.set()
        thread.join()
