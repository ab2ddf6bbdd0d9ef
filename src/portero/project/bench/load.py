"""Load: wrk for a closed loop, a generator of ours for an open one.

A closed loop asks how much goes through. An open one sends at its own rate whatever comes back, and
counts from the moment a request was due, so that a stall is not hidden by the requests it held up.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portero.project.bench.measuring import NotMeasured

CONNECTIONS = 64
_UNPACKED = Path(".venv/debian/usr/bin/wrk")


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the mix."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """What came back. Latencies in milliseconds."""

    requests: int
    per_second: float
    refused: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


_SCRIPT = """
local made, n = {}, 0
function init(args)
  for line in io.lines(args[1]) do
    local path, headers, body = line:match("^([^\\t]*)\\t([^\\t]*)\\t(.*)$")
    local h = {}
    for name, value in headers:gmatch("([^:|]+):([^|]*)") do h[name] = value end
    made[#made + 1] = wrk.format("POST", path, h, body)
  end
  n = tonumber(args[2])
end
function request() n = n % #made + 1; return made[n] end
function done(summary, latency)
  io.write("\\nPORTERO " .. summary.requests .. " " .. summary.duration .. " "
    .. (summary.errors.status + summary.errors.connect + summary.errors.read
        + summary.errors.write + summary.errors.timeout) .. " "
    .. latency:percentile(50) .. " " .. latency:percentile(95) .. " "
    .. latency:percentile(99) .. "\\n")
end
"""


def wrk_program() -> str:
    """Where wrk is. Raises NotMeasured."""
    found = shutil.which("wrk") or (str(_UNPACKED.resolve()) if _UNPACKED.exists() else None)
    if found is None:
        raise NotMeasured("wrk is not installed: apt-get install wrk")
    return found


def closed_loop(
    url: str, mix: Sequence[Request], *, seconds: int, connections: int = CONNECTIONS
) -> Load:
    """Keep `connections` requests under way. Raises NotMeasured without wrk."""
    with tempfile.TemporaryDirectory() as folder:
        script, requests = Path(folder, "mix.lua"), Path(folder, "mix.txt")
        script.write_text(_SCRIPT)
        requests.write_text("".join(map(_line, mix)))
        command = [wrk_program(), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
        command += [url, "--", str(requests), "0"]
        said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    told = next(line for line in said.stdout.splitlines() if line.startswith("PORTERO"))
    requests_, duration, errors, p50, p95, p99 = map(float, told.split()[1:])
    return Load(
        requests=int(requests_),
        per_second=requests_ / (duration / 1e6),
        refused=int(errors),
        p50_ms=p50 / 1000,
        p95_ms=p95 / 1000,
        p99_ms=p99 / 1000,
    )


def _line(request: Request) -> str:
    headers = "|".join(f"{name}:{value}" for name, value in request.headers.items())
    return f"{request.path}\t{headers}\t{request.body.decode()}\n"


def open_loop(
    url: str,
    mix: Sequence[Request],
    *,
    rate: float,
    seconds: float,
    connections: int = CONNECTIONS,
) -> Load:
    """Send `rate` requests a second, whatever comes back."""
    told = {
        "url": url,
        "rate": rate,
        "seconds": seconds,
        "connections": connections,
        "mix": [[one.path, dict(one.headers), one.body.decode()] for one in mix],
    }
    said = subprocess.run(
        [sys.executable, "-P", "-m", "portero.project.bench.openloop"],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=True,
    )
    return Load(**json.loads(said.stdout))
