"""What schemathesis makes of our descriptions: no server error, no hang, no memory that stays.

Gateway and sandbox run as processes of their own and are asked over HTTP, half of the requests each;
the gateway's Meta is that sandbox.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from abuse.neighbour import shared_world
from fuzz.campaign import Campaign
from fuzz.conftest import NOBODYS, OURS, THEIRS
from fuzz.lanes import HANG_S
from gateway.house import META_TOKEN, House, free_port, world
from portero.graphapi.description import openapi
from portero.graphapi.kinds import Kind
from portero.graphapi.operation import Operation, RiskClass
from portero.graphapi.operations import OPERATIONS
from portero.graphapi.shapes import Members
from portero.graphapi.written import META, NOTATION
from portero.sandbox import objects
from portero.sandbox.graph.routes import NODE_ROUTES
from storm.storms import Killable

CI, LONG = 1_000, 25_000  # of each
_SHARE = 4  # in CI one in so many operations; the seed says which
GROWTH_MIB = 50
_ROUND = 5_000  # between two of them the sandbox's ledger, which keeps 50,000 by design, is emptied
_NODES: Mapping[str, type] = {
    "{number}": objects.Number,
    "{waba}": objects.Waba,
    "{template}": objects.Template,
    "{media}": objects.Media,
    "{flow}": objects.Flow,
    "{app}": objects.App,
    "{business}": objects.Business,
}


def described(operations: Sequence[Operation]) -> dict[str, Any]:
    """The description with ids that lead somewhere: ours, a neighbour's, nobody's."""
    made = copy.deepcopy(openapi(operations, title="under test"))
    for path in made["paths"].values():
        for operation in path.values():
            for one in operation["parameters"]:
                if one["in"] == "path":
                    kind = Kind(one["name"])
                    one["schema"] = {"enum": [OURS[kind]] * 3 + [THEIRS[kind], NOBODYS[kind]]}
                    one["schema"]["enum"] = list(dict.fromkeys(one["schema"]["enum"]))
    return made


def of_meta() -> list[Operation]:
    """Meta's own description, as far as the sandbox serves it."""
    found = []
    for call, entry in META.items():
        method, _, template = call.partition(" ")
        node, *edge = template.strip("/").split("/")
        served = NODE_ROUTES.get(_NODES.get(node, type(None)), {})
        if (method, "/".join(edge)) in served or (edge[1:] and (method, f"{edge[0]}/*") in served):
            params, body = NOTATION.members(entry["params"]), NOTATION.members(entry["body"])  # type: ignore[arg-type]
            takes = body if body.members and method != "GET" else None
            found.append(_row(call, method, template, params, takes))
    return found


def _row(name: str, method: str, template: str, params: Members, body: Members | None) -> Operation:
    return Operation(name, method, template, RiskClass.READ, "", params=params, body=body)


@dataclass
class Seen:
    """What came of the requests, of which some go to the sandbox itself."""

    sandbox: str
    wrong: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    grown_mib: Sequence[float] = ()  # of the gateway and of the sandbox

    @property
    def asked(self) -> int:
        return self.statuses.total()

    def __str__(self) -> str:
        answers = ", ".join(f"{n} of {status}" for status, n in sorted(self.statuses.items()))
        grown = " and ".join(f"{mib:.1f}" for mib in self.grown_mib)
        return (
            f"{self.asked} requests, {len(self.wrong)} wrong; slowest {self.slowest_s:.2f} s;"
            f" gateway and sandbox grew by {grown} MiB; answers: {answers}"
        )


def ask(
    url: str, token: str, description: dict[str, Any], count: int, seen: Seen, start: int
) -> None:
    """`count` requests, spread over all operations: two valid ones for each that is not."""
    found = [one.ok() for one in schemathesis.openapi.from_dict(description).get_all_operations()]
    headers = {"Authorization": f"Bearer {token}"}
    with requests.Session() as session:
        for i, operation in enumerate(found):
            share = count * (i + 1) // len(found) - count * i // len(found)
            valid = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
            invalid = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
            made = st.one_of(valid, valid, invalid) if share > 1 else valid
            if share:
                _each(made, share, start, lambda case: _judge(case, url, headers, session, seen))


def _each(strategy: Any, share: int, start: int, act: Any) -> None:
    @seed(start)
    @settings(
        max_examples=share,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(case: Any) -> None:
        act(case)

    run()


def _judge(
    case: Any, url: str, headers: dict[str, str], session: requests.Session, seen: Seen
) -> None:
    try:
        answer = case.call(base_url=url, headers=headers, session=session, timeout=HANG_S)
    except requests.RequestException as error:
        seen.wrong.append(f"{type(error).__name__}: {case.as_curl_command(headers)[:2000]}")
        return
    seen.statuses[answer.status_code] += 1
    seen.slowest_s = max(seen.slowest_s, answer.elapsed)
    shown = answer.content.decode("utf-8", "replace")
    if url.startswith(seen.sandbox):  # Meta's links to the next page hold the token that asked
        shown = shown.replace(f"access_token={META_TOKEN}", "")
    deliberate = answer.status_code == 503 and "The gateway failed" not in shown
    if (answer.status_code >= 500 and not deliberate) or META_TOKEN in shown:
        seen.wrong.append(
            f"{answer.status_code} {shown[:500]}: {case.as_curl_command(headers)[:2000]}"
        )


class ServedSandbox:
    """The sandbox in a process of its own."""

    def __init__(self, folder: Path, world: dict[str, Any]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "sandbox.log"
        file = folder / "world.json"
        file.write_text(json.dumps({n: v for n, v in world.items() if n != "callback"}))
        command = [
            sys.executable,
            "-m",
            "portero.sandbox",
            "--port",
            str(port),
            "--world",
            str(file),
        ]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.pid = self._process.pid
        while not self._answers():
            assert self._process.poll() is None, self.log.read_text()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/_sandbox/ledger").is_success
        except httpx.TransportError:
            return False

    def reset(self) -> None:
        httpx.post(f"{self.url}/_sandbox/reset", json={}, timeout=30).raise_for_status()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(15)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[ServedSandbox]:
    made = ServedSandbox(tmp_path, world(**shared_world()))
    yield made
    made.close()


@pytest.fixture
def gateway(house: House, sandbox: ServedSandbox, tmp_path: Path) -> Iterator[Killable]:
    made = Killable(house, tmp_path, graph_url=sandbox.url)
    made.start()
    made.wait_ready()
    yield made
    made.close()


def resident_mib(pid: int) -> float:
    """Memory of a process that is in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def besiege(
    gateway: Killable, sandbox: ServedSandbox, campaign: Campaign, count: int, *, part: int = 1
) -> Seen:
    """`count` requests to each, to one in `part` of the operations; what went wrong.

    Memory is looked at from the end of the first tenth on, when both are warm.
    """
    seen, die = Seen(sandbox.url), int(campaign.seed)
    doors = (
        (gateway.url, campaign.senders[0].key.text, described(OPERATIONS[die % part :: part])),
        (sandbox.url, META_TOKEN, described(of_meta()[die % part :: part])),
    )
    before: dict[int, float] = {}
    done = 0
    while done < count:
        size = min(_ROUND, count - done) if done else count // 10
        for url, token, description in doors:
            ask(f"{url}/v23.0", token, description, size, seen, die + done)
        sandbox.reset()
        done += size
        before = before or {pid: resident_mib(pid) for pid in (gateway.pid, sandbox.pid)}
    seen.grown_mib = [resident_mib(pid) - was for pid, was in before.items()]
    seen.wrong += [f"grew by {mib:.0f} MiB" for mib in seen.grown_mib if mib > GROWTH_MIB]
    for log in (gateway.log, sandbox.log):
        if "Traceback" in log.read_text():
            seen.wrong.append(f"failed inside: {log.read_text()[-3000:]}")
    return seen


def test_g15_g19_what_a_description_allows_and_forbids_is_answered(
    campaign: Campaign, gateway: Killable, sandbox: ServedSandbox
) -> None:
    seen = besiege(gateway, sandbox, campaign, CI, part=_SHARE)

    assert not seen.wrong, "\n\n".join(seen.wrong[:10])
    assert seen.asked >= 1.9 * CI
    assert seen.statuses[200] > CI // 20


@pytest.mark.long
def test_g15_g19_fifty_thousand_described_requests_are_answered(
    campaign: Campaign, gateway: Killable, sandbox: ServedSandbox
) -> None:
    seen = besiege(gateway, sandbox, campaign, LONG)
    print(f"\n{seen}")  # noqa: T201 - the figures of a long run

    assert not seen.wrong, "\n\n".join(seen.wrong[:10])
    assert seen.asked >= 1.9 * LONG
