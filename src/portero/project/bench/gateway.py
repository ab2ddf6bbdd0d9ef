"""`portero bench gateway`: a decided and durably recorded message beside those that do neither."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

from portero.project.bench import load, nginx
from portero.project.bench.load import Load, Request
from portero.project.bench.machine import lone_commit_ms, machine
from portero.project.bench.measuring import Contestant, NotMeasured, Results, take_turns
from portero.project.bench.report import Report
from portero.project.bench.stand import (
    META_TOKEN,
    NUMBERS,
    Stand,
    accepts,
    child,
    cpu_s,
    free_port,
    stand,
    wait_for,
)

DIRECT = "straight to the upstream"
NGINX = "nginx proxy_pass, 1 worker"
JUDGED = "nginx + auth_request to FastAPI"
FASTAPI = "FastAPI + aiohttp, bare proxy"
OURS = "Portero: decided and recorded"
_RATE, _CPU, _P50, _P99 = "requests/s", "CPU µs/request", "p50 ms", "p99 ms"
_COMMIT = "lone commit ms"


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a contestant listens and which processes are its own."""

    name: str
    url: str
    pids: tuple[int, ...] = ()
    why_not: str = ""


def mix_of(key: str) -> list[Request]:
    """A text from each number to a customer of its own."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return [
        Request(
            path=f"/v23.0/{number}/messages",
            headers=headers,
            body=json.dumps(
                {
                    "messaging_product": "whatsapp",
                    "recipient_type": "individual",
                    "to": f"521{number[-10:]}",
                    "type": "text",
                    "text": {"body": "Su pedido 4711 va en camino y llega hoy por la tarde."},
                }
            ).encode(),
        )
        for number in NUMBERS
    ]


def run(*, rounds: int, quick: bool, progress: Callable[[str], None]) -> Report:
    """Measure throughput, then latency at two rates."""
    report = Report("gateway", machine())
    seconds = 1 if quick else 2
    with ExitStack() as stack:
        upstream = stack.enter_context(_instant())
        place = stack.enter_context(stand(f"http://127.0.0.1:{upstream}"))
        mix = mix_of(place.shop["key"])
        targets = stack.enter_context(_targets(place, upstream))
        for one in targets:
            _warm(one, mix)
        closed = take_turns(
            [_throughput(one, mix, seconds, place) for one in targets],
            rounds=rounds,
            progress=progress,
        )
        report.sections.append(("64 connections, as fast as they are answered", closed))
        _claim_throughput(report, closed)
        quiet = [one for one in targets if one.name in (DIRECT, NGINX, OURS)]
        calm = take_turns(
            [_latency(one, mix, 200, seconds, place) for one in quiet],
            rounds=rounds,
            progress=progress,
        )
        report.sections.append(("200 requests a second, open loop", calm))
        _claim_calm(report, calm)
    with ExitStack() as stack:
        port = free_port()
        stack.enter_context(
            child([sys.executable, "-P", "-m", "portero.project.bench.slow", str(port), "100"])
        )
        wait_for(lambda: accepts(port))
        place = stack.enter_context(stand(f"http://127.0.0.1:{port}"))
        mix = mix_of(place.shop["key"])
        slow = [_Target(DIRECT, f"http://127.0.0.1:{port}"), _Target(OURS, place.url)]
        for one in slow:
            _warm(one, mix)
        late = take_turns(
            [_latency(one, mix, 1000, seconds, place, connections=256) for one in slow],
            rounds=rounds,
            progress=progress,
        )
        report.sections.append(("1,000 requests a second, an upstream of 100 ms", late))
        report.claim(
            "added at the median at 1,000/s with a 100 ms upstream, ms",
            lambda: late.median(OURS, _P50) - late.median(DIRECT, _P50),
            "≤",
            2.0,
        )
    report.notes.append(
        f"The database is PostgreSQL {place.cluster.status().major} with fsync, full_page_writes and"
        " synchronous_commit on. Load, upstream, gateway and database share the machine."
    )
    return report


def _claim_throughput(report: Report, closed: Results) -> None:
    for rival, bar in ((FASTAPI, 4.0), (JUDGED, 1.3), (NGINX, 0.25)):
        report.claim(
            f"throughput of {rival}, times",
            partial(closed.ratio, OURS, rival, _RATE),
            "≥",
            bar,
        )
    report.claim(f"CPU of {NGINX}, times", lambda: closed.ratio(OURS, NGINX, _CPU), "≤", 5.0)


def _claim_calm(report: Report, calm: Results) -> None:
    report.claim(
        "added at the median at 200/s beyond a lone commit, ms",
        lambda: calm.median(OURS, _P50) - calm.median(DIRECT, _P50) - calm.median(OURS, _COMMIT),
        "≤",
        1.0,
    )
    report.claim(
        "added at the 99th percentile at 200/s, ms",
        lambda: calm.median(OURS, _P99) - calm.median(DIRECT, _P99),
        "≤",
        5.0,
    )


@contextmanager
def _instant() -> Iterator[int]:
    """The upstream that answers at once: nginx."""
    port = free_port()
    with nginx.nginx(nginx.UPSTREAM.format(port=port), port):
        yield port


@contextmanager
def _targets(place: Stand, upstream: int) -> Iterator[list[_Target]]:
    with ExitStack() as stack:
        environ = {
            **os.environ,
            "BENCH_UPSTREAM": f"http://127.0.0.1:{upstream}",
            "BENCH_TOKEN": META_TOKEN,
            "BENCH_KEY_DIGEST": hashlib.sha256(place.shop["key"].encode()).hexdigest(),
        }
        judge, proxy = free_port(), free_port()
        plain, judged = free_port(), free_port()
        why_not = ""
        judges: tuple[int, ...] = ()
        proxies: tuple[int, ...] = ()
        if find_spec("fastapi") and find_spec("aiohttp"):
            judges = (stack.enter_context(_uvicorn("judge", judge, environ)),)
            proxies = (stack.enter_context(_uvicorn("proxy", proxy, environ)),)
        else:
            why_not = "fastapi and aiohttp are not installed"
        configured = nginx.PROXY.format(
            upstream=upstream, judge=judge, port=plain, judged=judged, token=META_TOKEN
        )
        pid = stack.enter_context(nginx.nginx(configured, plain, judged))
        yield [
            _Target(DIRECT, f"http://127.0.0.1:{upstream}"),
            _Target(NGINX, f"http://127.0.0.1:{plain}", (pid,)),
            _Target(JUDGED, f"http://127.0.0.1:{judged}", (pid, *judges), why_not),
            _Target(FASTAPI, f"http://127.0.0.1:{proxy}", proxies, why_not),
            _Target(OURS, place.url, tuple(one.pid for one in place.gateways)),
        ]


@contextmanager
def _uvicorn(app: str, port: int, environ: Mapping[str, str]) -> Iterator[int]:
    command = [sys.executable, "-P", "-m", "uvicorn", f"portero.project.bench.rivals:{app}"]
    command += ["--port", str(port), "--log-level", "error", "--no-access-log"]
    with child(command, environ=environ) as process:
        wait_for(lambda: accepts(port))
        yield process.pid


def _warm(target: _Target, mix: Sequence[Request]) -> None:
    if not target.why_not:
        load.open_loop(target.url, mix, rate=200, seconds=0.5)


def _throughput(target: _Target, mix: Sequence[Request], seconds: int, place: Stand) -> Contestant:
    def measure() -> dict[str, float]:
        if target.why_not:
            raise NotMeasured(target.why_not)
        used, server = cpu_s(*target.pids), cpu_s(_postmaster(place))
        seen = _all_served(load.closed_loop(target.url, mix, seconds=seconds))
        figures = {
            _RATE: seen.per_second,
            _CPU: (cpu_s(*target.pids) - used) / seen.requests * 1e6,
            _P50: seen.p50_ms,
            _P99: seen.p99_ms,
        }
        if target.name == OURS:
            figures["PostgreSQL µs/request"] = (
                (cpu_s(_postmaster(place)) - server) / seen.requests * 1e6
            )
            figures[_COMMIT] = lone_commit_ms(place.dsn)
        return figures

    return Contestant(target.name, measure)


def _latency(
    target: _Target,
    mix: Sequence[Request],
    rate: float,
    seconds: int,
    place: Stand,
    *,
    connections: int = load.CONNECTIONS,
) -> Contestant:
    def measure() -> dict[str, float]:
        seen = _all_served(
            load.open_loop(target.url, mix, rate=rate, seconds=seconds, connections=connections)
        )
        figures = {_P50: seen.p50_ms, "p95 ms": seen.p95_ms, _P99: seen.p99_ms}
        if target.name == OURS:
            figures[_COMMIT] = lone_commit_ms(place.dsn)
        return figures

    return Contestant(target.name, measure)


def _all_served(seen: Load) -> Load:
    """A refusal is quick to give: a run in which any was given measures nothing."""
    if seen.refused:
        raise NotMeasured(f"{seen.refused} of {seen.requests} requests were not answered with 200")
    return seen


def _postmaster(place: Stand) -> int:
    data = place.cluster.status().data
    return int((data / "postmaster.pid").read_text().split()[0])
