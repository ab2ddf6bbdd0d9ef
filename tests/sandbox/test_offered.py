"""No operation that the gateway offers is without an answer here, unless the page says why."""

from types import ModuleType

import pytest

from test_docs import tool


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    return tool("write_sandbox")


def test_every_call_is_answered_or_has_its_reason(writer: ModuleType) -> None:
    unanswered = {call for call, one in writer.known().items() if not one.answered}

    assert unanswered == set(writer.NOT_ANSWERED)


def test_a_call_whose_route_is_gone_is_missed(
    writer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a route removed must turn the test above red."""
    routes = {kind: dict(edges) for kind, edges in writer.NODE_ROUTES.items()}
    number = next(kind for kind in routes if kind.__name__ == "Number")
    del routes[number]["POST", "messages"]
    monkeypatch.setattr(writer, "NODE_ROUTES", routes)

    assert "POST /{number}/messages" not in writer.NOT_ANSWERED
    assert not writer.known()["POST /{number}/messages"].answered
