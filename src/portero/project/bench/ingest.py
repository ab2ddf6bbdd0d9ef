"""`portero bench ingest`: Meta's posts, proved genuine and durable before they are answered."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import count

import psycopg

from portero.project.bench import load
from portero.project.bench.load import Request
from portero.project.bench.machine import lone_commit_ms, machine
from portero.project.bench.measuring import Contestant, NotMeasured, take_turns
from portero.project.bench.report import Report
from portero.project.bench.stand import (
    APP_SECRET,
    NUMBERS,
    WABA,
    Stand,
    accepts,
    child,
    cpu_s,
    free_port,
    stand,
    wait_for,
)

OURS = "Portero: signature, ids learned, durable"
RIVAL = "FastAPI: signature, an insert per event"
_RATE, _CPU, _COMMIT = "events/s", "CPU µs/event", "lone commit ms"
_OPEN_RATE = 3000
_PATHS = {OURS: "/webhooks/whatsapp", RIVAL: "/webhooks"}
_numbers = count()


def run(*, rounds: int, quick: bool, progress: Callable[[str], None]) -> Report:
    """Measure how many are taken in, then how long each waits at Meta's own highest rate."""
    report = Report("ingest", machine())
    seconds = 1 if quick else 4
    with ExitStack() as stack:
        place = stack.enter_context(stand("http://127.0.0.1:9"))
        rival = stack.enter_context(_rival(place))
        targets = [(OURS, place.url, place.gateways[0].pid), (RIVAL, *rival)]
        closed = take_turns(
            [_throughput(*one, seconds=seconds, place=place) for one in targets],
            rounds=rounds,
            progress=progress,
        )
        report.sections.append(("64 connections, as fast as they are answered", closed))
        report.claim(
            f"throughput of {RIVAL}, times",
            partial(closed.ratio, OURS, RIVAL, _RATE),
            "≥",
            4.0,
        )
        long = 2 if quick else 60
        steady = take_turns(
            [Contestant(OURS, partial(_steady, place, long))], rounds=1, progress=progress
        )
        report.sections.append((f"{_OPEN_RATE:,} events a second for {long} s, open loop", steady))
        report.claim(
            f"99th percentile to the 200 at {_OPEN_RATE:,}/s for {long} s, ms",
            partial(steady.median, OURS, "p99 ms"),
            "≤",
            10.0,
        )
        report.notes.append(_all_there(place))
    return report


def posts(path: str, how_many: int) -> list[Request]:
    """So many statuses of messages, each its own post as Meta sends it; no two are the same."""
    return [_post(path, next(_numbers)) for _ in range(how_many)]


def _post(path: str, number: int) -> Request:
    phone = NUMBERS[number % len(NUMBERS)]
    customer = f"521{phone[-10:]}"
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": f"52{phone[-10:]}", "phone_number_id": phone},
        "statuses": [
            {
                "id": f"wamid.HBgN{number:024d}",
                "status": "delivered",
                "timestamp": "1771200000",
                "recipient_id": customer,
                "conversation": {"id": f"{number:032x}", "origin": {"type": "utility"}},
                "pricing": {
                    "billable": True,
                    "pricing_model": "PMP",
                    "category": "utility",
                    "type": "regular",
                },
            }
        ],
    }
    change = {"field": "messages", "value": value}
    body = json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": [change]}]}
    ).encode()
    signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
    return Request(path, headers, body)


@contextmanager
def _rival(place: Stand) -> Iterator[tuple[str, int]]:
    """FastAPI over a table of its own on the same server; pid 0 when it cannot be had."""
    if not find_spec("fastapi"):
        yield "", 0
        return
    with psycopg.connect(place.dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE bench_event (id bigserial PRIMARY KEY, body bytea NOT NULL,"
            " received_at timestamptz NOT NULL DEFAULT now())"
        )
    port = free_port()
    environ = {**os.environ, "BENCH_DSN": place.dsn, "BENCH_SECRET": APP_SECRET}
    command = [sys.executable, "-P", "-m", "uvicorn", "portero.project.bench.rivals:inserting"]
    command += ["--port", str(port), "--log-level", "error", "--no-access-log"]
    with child(command, environ=environ) as process:
        wait_for(lambda: accepts(port))
        yield f"http://127.0.0.1:{port}", process.pid


def _throughput(name: str, url: str, pid: int, *, seconds: int, place: Stand) -> Contestant:
    path = _PATHS[name]

    def measure() -> dict[str, float]:
        if not pid:
            raise NotMeasured("fastapi is not installed")
        # More than can be answered in that time, because a repetition would be stored only once.
        mix = posts(path, 20_000 * seconds)
        used = cpu_s(pid)
        seen = load.closed_loop(url, mix, seconds=seconds)
        if seen.refused:
            raise NotMeasured(f"{seen.refused} of {seen.requests} were not answered with 200")
        return {
            _RATE: seen.per_second,
            _CPU: (cpu_s(pid) - used) / seen.requests * 1e6,
            "p50 ms": seen.p50_ms,
            "p99 ms": seen.p99_ms,
            _COMMIT: lone_commit_ms(place.dsn),
        }

    return Contestant(name, measure)


def _steady(place: Stand, seconds: int) -> dict[str, float]:
    mix: Sequence[Request] = posts(_PATHS[OURS], _OPEN_RATE * seconds + _OPEN_RATE)
    seen = load.open_loop(place.url, mix, rate=_OPEN_RATE, seconds=seconds, connections=256)
    if seen.refused:
        raise NotMeasured(f"{seen.refused} of {seen.requests} were not answered with 200")
    return {
        "p50 ms": seen.p50_ms,
        "p95 ms": seen.p95_ms,
        "p99 ms": seen.p99_ms,
        _COMMIT: lone_commit_ms(place.dsn),
    }


def _all_there(place: Stand) -> str:
    with psycopg.connect(place.dsn) as connection:
        row = connection.execute("SELECT count(*) FROM webhook_event").fetchone()
    return f"{row[0] if row else 0:,} posts of different content are in the table at the end."
