"""An emulator on a loopback port, and a subscriber for its webhooks."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from portero.sandbox import World, create_app
from portero.sandbox.server import server_for
from sandbox.harness import WORLD, MovableClock, Running, Start, Subscriber


@contextmanager
def subscribing() -> Iterator[Subscriber]:
    """A subscriber that listens on a port of its own."""
    hooks = Subscriber()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            status = hooks.take(self.path, raw, self.headers["X-Hub-Signature-256"])
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            accepted = query["hub.verify_token"] == ["verify-me"] and not hooks.challenges_refused
            body = query["hub.challenge"][0].encode() if accepted else b"no"
            self.send_response(200 if accepted else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hooks.url = f"http://127.0.0.1:{server.server_port}/webhook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield hooks
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def serving(source: dict[str, Any]) -> Iterator[Running]:
    """An emulator of a world, telling a subscriber of its own unless the world says whom."""
    with subscribing() as hooks:
        clock = MovableClock()
        world = World.from_dict({"callback": {"url": hooks.url}} | source)
        server = server_for(create_app(world, clock=clock), port=0)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        deadline = time.monotonic() + 5
        while not server.started:
            assert time.monotonic() < deadline, "the emulator did not start"
            time.sleep(0.01)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=10) as client:
            yield Running(url, hooks, clock, client)
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    with serving(WORLD) as emulator:
        yield emulator


@pytest.fixture
def sandbox(running: Running) -> Running:
    """The usual world, as at its start."""
    running.clock.run()
    running.control("reset")
    running.hooks.clear()
    return running


@pytest.fixture
def other_world() -> Iterator[Start]:
    """An emulator of the usual world with some keys replaced."""
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(serving(WORLD | changes))
