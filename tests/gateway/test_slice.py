"""The thinnest whole thing: a real client, a scoped key, a decision, a record, a message."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pywa import WhatsApp
from pywa.errors import WhatsAppError

from gateway.house import LUCIA, META_TOKEN, VENTAS, House, error_of, text


@contextmanager
def client(house: House, key: str) -> Iterator[WhatsApp]:
    made = WhatsApp(phone_id=VENTAS, token=key)
    made.api._session.base_url = f"{house.gateway.url}/v23.0"
    yield made
    made.api._session.close()


def test_pywa_sends_a_text_with_a_scoped_key(house: House) -> None:
    key = house.workspace.key({"send:text": "all"}, scope={"numbers": [VENTAS]})

    with client(house, key.text) as whatsapp:
        sent = whatsapp.send_message(to=LUCIA, text="hola")

    assert sent.id.startswith("wamid.")
    house.loop.run(house.gateway.parts.recorder.settled())
    [arrived] = house.sandbox.ledger()
    assert arrived["headers"]["authorization"] == f"Bearer {META_TOKEN}"
    intent, outcome = house.workspace.records()[-2:]
    assert (intent["kind"], intent["effect"], intent["operation"]) == (
        "intent",
        "allow",
        "send_message",
    )
    assert (outcome["kind"], outcome["outcome"]) == ("outcome", "done")


def test_a_second_key_is_refused_and_nothing_arrives(house: House) -> None:
    key = house.workspace.key({"send:image": "all"})

    with (
        client(house, key.text) as whatsapp,
        pytest.raises(WhatsAppError, match="necessary permissions"),
    ):
        whatsapp.send_message(to=LUCIA, text="hola")

    assert house.sandbox.ledger() == []
    assert error_of(house.send(key, text())) == (403, 200, None, "permission_missing")
