"""An emulator on a loopback port, and a subscriber for its webhooks."""

import copy
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from portero.sandbox import World, create_app
from portero.sandbox.server import server_for
from sandbox.harness import WORLD, MovableClock, Running, Start, Subscriber


@pytest.fixture(scope="session")
def subscriber() -> Iterator[Subscriber]:
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
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield hooks
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def launch(subscriber: Subscriber) -> Iterator[Start]:
    """Starts emulators of any world; all end with the session."""
    stops: list[Callable[[], None]] = []

    def start(source: dict[str, Any]) -> Running:
        clock = MovableClock()
        server = server_for(create_app(World.from_dict(source), clock=clock), port=0)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        deadline = time.monotonic() + 5
        while not server.started:
            assert time.monotonic() < deadline, "the emulator did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        client = httpx.Client(base_url=url, timeout=10)

        def stop() -> None:
            client.close()
            server.should_exit = True
            thread.join(timeout=10)

        stops.append(stop)
        return Running(url, subscriber, clock, client)

    yield start
    for stop in stops:
        stop()


@pytest.fixture(scope="session")
def running(launch: Start, subscriber: Subscriber) -> Running:
    return launch(WORLD | {"callback": {"url": subscriber.url}})


@pytest.fixture
def sandbox(running: Running) -> Running:
    """The usual world, as at its start."""
    running.clock.run()
    running.control("reset")
    running.hooks.clear()
    return running


@pytest.fixture
def other_world(launch: Start, subscriber: Subscriber) -> Callable[..., Running]:
    """An emulator of the usual world with some keys replaced."""

    def start(**changes: Any) -> Running:
        subscriber.clear()
        source = copy.deepcopy(WORLD) | {"callback": {"url": subscriber.url}} | changes
        return launch(source)

    return start
