"""Every message body the gateway understands is understood here, by a reading of its own."""

from copy import deepcopy

import pytest

from graphapi.message_bodies import BY_NAME
from sandbox.harness import NUMBER, Running

# What refers to something this world has not is refused for that, and for nothing else.
ABSENT = {
    "text to a group": 131020,
    "template to a group": 131020,
    "pin": 131020,
    "image by id": 100,
    "image by a number not quoted": 100,
    "audio": 100,
    "voice": 100,
    "document": 100,
    "buttons under a picture": 100,
    "flow": 131009,
    "template": 132001,
    "template with text, money and a date": 132001,
    "template in capitals": 132001,
    "template with every other parameter": 132001,
    "template carousel": 132001,
    "read": 100,
    "typing": 100,
    # One card is enough for the gateway; Meta's pages show two to ten.
    "carousel of quick replies": 131009,
    "carousel of products": 131009,
}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_body_the_gateway_understands_is_understood(sandbox: Running, name: str) -> None:
    answer = sandbox.call("POST", f"/{NUMBER}/messages", json=deepcopy(BY_NAME[name].body))

    code = answer.json().get("error", {}).get("code")
    assert code == ABSENT.get(name), answer.text
