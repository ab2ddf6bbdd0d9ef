"""The world file: what it may say, and that a mistake in it is told."""

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from portero.sandbox import World, WorldError
from portero.sandbox.__main__ import introduction, main
from sandbox.harness import WORLD

NUMBER_OF_ONE = {"id": "2", "display_phone_number": "+1 555 0100"}
TEMPLATE_OF_ONE = {"name": "a", "language": "es", "category": "UTILITY"}


def account(**members: Any) -> dict[str, Any]:
    """A world's only account."""
    return {"wabas": [{"id": "1", **members}], "windows": [], "tokens": []}


def number(**members: Any) -> dict[str, Any]:
    return account(numbers=[NUMBER_OF_ONE | members])


def template(**members: Any) -> dict[str, Any]:
    return account(templates=[TEMPLATE_OF_ONE | members])


def token(**members: Any) -> dict[str, Any]:
    return {"tokens": [{"token": "a", **members}]}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no app": ({"app": None}, "app must be an object"),
    "a secret that is a number": ({"app": WORLD["app"] | {"app_secret": 5}}, "app.app_secret"),
    "an unknown key": ({"colour": "red"}, "unknown keys: colour"),
    "an id of 16 digits": ({"business": {"id": "1234567890123456"}}, "business.id"),
    "an id with letters": ({"wabas": [{"id": "abc"}]}, "waba.id"),
    "accounts that are no list": ({"wabas": {"id": "1"}}, "world.wabas must be a list"),
    "numbers that are no list": (account(numbers=3), "waba.numbers must be a list"),
    "an unknown key of a number": (number(x=1), "number has unknown keys: x"),
    "a name that is a list": (number(verified_name=["a"]), "number.verified_name must be a text"),
    "a PIN that is a number": (number(pin=123456), "number.pin must be a text"),
    "a throughput that is none": (number(throughput="FAST"), "STANDARD, HIGH"),
    "a messaging limit that is none": (number(messaging_limit="TIER50"), "TIER_50, TIER_250"),
    "recipients that are no list": (number(allowed_recipients="34600"), "must be a list"),
    "a registration that is a text": (number(registered="no"), "must be true or false"),
    "a template without a category": (
        account(templates=[{"name": "a", "language": "es"}]),
        "template lacks category",
    ),
    "a category in small letters": (template(category="marketing"), "MARKETING, UTILITY"),
    "components that are texts": (template(components=["a"]), "a list of objects"),
    "buttons that are texts": (
        template(components=[{"type": "BUTTONS", "buttons": ["a"]}]),
        "a list of objects",
    ),
    "one template twice": (
        account(templates=[TEMPLATE_OF_ONE, TEMPLATE_OF_ONE]),
        "two templates are a in es",
    ),
    "a window of a stranger": (
        {"windows": [{"number": "9", "customer": "34600111222"}]},
        "window for unknown number 9",
    ),
    "a person without a name": ({"people": [{"id": "9"}]}, "person lacks name"),
    "a person of a role nobody has": (
        {"people": [{"id": "9", "name": "A", "role": "KING"}]},
        "person.role must be one of ADMIN",
    ),
    "a person of the account's id": (
        {"people": [{"id": WORLD["wabas"][0]["id"], "name": "A"}]},
        "two things have the id",
    ),
    "a price of an unknown category": ({"prices": {"sms": 1}}, "unknown keys: sms"),
    "a price that is a text": ({"prices": {"utility": "1"}}, "prices.utility must be an amount"),
    "a price below nothing": ({"prices": {"utility": -1}}, "prices.utility must be an amount"),
    "an owner without an id": (
        {"wabas": [{"id": "9", "owner": {"name": "A"}}]},
        "business lacks id",
    ),
    "an unreachable who is no number": ({"unreachable": ["Ana"]}, "'Ana' is not a phone number"),
    "windows that are no list": ({"windows": 3}, "world.windows must be a list"),
    "a customer who is no number": (
        {"customers": [{"phone": "Ana", "name": "Ana"}]},
        "'Ana' is not a phone number",
    ),
    "a customer of no name who is no number": ({"customers": [{"phone": "Ana"}]}, "'Ana' is not"),
    "an unknown speed": ({"speed": {"warp_ms": 1}}, "unknown keys: warp_ms"),
    "a speed that is a text": ({"speed": {"sent_ms": "100"}}, "speed.sent_ms: '100' is not"),
    "a speed below nothing": ({"speed": {"sent_ms": -1}}, "speed.sent_ms"),
    "a speed without end": ({"speed": {"sent_ms": float("inf")}}, "speed.sent_ms"),
    "a single repeat": ({"speed": {"retry_ms": 500}}, "speed.retry_ms must be a list"),
    "a repeat that is a text": ({"speed": {"retry_ms": ["5"]}}, "speed.retry_ms: '5' is not"),
    "a limit that is a text": ({"limits": {"pair": "no"}}, "limits.pair must be true or false"),
    "a proof that is a text": ({"require_app_secret": "no"}, "must be true or false"),
    "an address that is a number": ({"public_url": 5}, "world.public_url must be a text"),
    "fields that are a text": (
        {"callback": {"url": "http://a", "fields": "messages"}},
        "callback.fields must be a list",
    ),
    "a token that is a number": ({"tokens": [{"token": 5}]}, "tokens[0].token must be a text"),
    "one token twice": ({"tokens": [{"token": "a"}, {"token": "a"}]}, "tokens[1] has the text"),
    "a time that is a text": (token(expires_at="x"), "tokens[0].expires_at must be Unix seconds"),
    "a misspelt scope": (token(scopes=["whatsapp_busines_messaging"]), "scopes are unknown: whats"),
    "a scope that is a text": (token(scopes="business_management"), "scopes must be a list"),
    "a token of an unknown account": (token(wabas=["9"]), "tokens[0].wabas are unknown: 9"),
    "a token of an account by a number": (token(wabas=[9]), "wabas must be a list of texts"),
    "app and business of one id": (
        {"business": {"id": WORLD["app"]["app_id"]}},
        f"two things have the id {WORLD['app']['app_id']}",
    ),
    "an account of the app's id": (
        {"wabas": [{"id": WORLD["app"]["app_id"]}]},
        f"two things have the id {WORLD['app']['app_id']}",
    ),
    "two accounts of one id": ({"wabas": [{"id": "1"}, {"id": "1"}]}, "have the id 1"),
    "a number of its account's id": (number(id="1"), "have the id 1"),
    "two numbers of one id": (account(numbers=[NUMBER_OF_ONE] * 2), "have the id 2"),
    "a template of a number's id": (
        account(numbers=[NUMBER_OF_ONE], templates=[TEMPLATE_OF_ONE | {"id": "2"}]),
        "have the id 2",
    ),
}


@pytest.mark.parametrize(("change", "told"), BAD.values(), ids=BAD.keys())
def test_a_world_with_a_mistake_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(WorldError, match=re.escape(told)):
        World.from_dict(WORLD | change)


def test_a_world_may_have_more_tokens_than_anybody_counts() -> None:
    many = [{"token": f"token-{n}"} for n in range(1_500)]

    world = World.from_dict(WORLD | {"tokens": many})

    assert len(world.tokens) == 1_500
    assert len({token.user_id for token in world.tokens.values()}) == 1_500


def test_the_smallest_world_is_an_app() -> None:
    world = World.from_dict({"app": WORLD["app"]})

    assert world.numbers == {}


def test_the_default_world_says_where_to_go() -> None:
    text = introduction(World.default(), 8002)

    assert "http://127.0.0.1:8002" in text
    assert "sandbox-token" in text


def test_fresh_ids_are_numbers_of_fifteen_digits_and_never_repeat() -> None:
    world = World.default()

    ids = [world.new_id() for _ in range(100)]

    assert len(set(ids)) == 100
    assert all(len(item) == 15 and item.isdigit() for item in ids)


def test_the_example_of_the_how_to_is_a_world() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "sandbox.md"
    example = page.read_text().partition("```json\n")[2].partition("```")[0]

    world = World.from_dict(json.loads(example))

    assert world.window_is_open("100000000000101", "5215512345678")


@pytest.mark.parametrize(
    "content",
    ["{", '{"app": 1}', "3", "[" * 100_000, '{"app": ' + "[" * 900 + "]" * 900 + "}"],
    ids=["cut", "no app", "a number", "deep", "less deep"],
)
def test_a_file_that_is_no_world_ends_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "world.json"
    path.write_text(content)

    assert main(["--world", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_the_command_serves_a_world_file(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    path.write_text(json.dumps(WORLD))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "portero.sandbox", "--port", str(port), "--world", str(path)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            answer = _first_answer(f"http://127.0.0.1:{port}/me")
        finally:
            process.terminate()
            output = process.communicate(timeout=10)[0]

    assert answer == {"id": "100000000000030", "name": "Bot"}
    assert "test-token" in output


def _first_answer(url: str) -> Any:
    deadline = time.monotonic() + 10
    while True:
        try:
            return httpx.get(url, headers={"Authorization": "Bearer test-token"}).json()
        except httpx.ConnectError:
            assert time.monotonic() < deadline, "the command did not serve"
            time.sleep(0.05)
