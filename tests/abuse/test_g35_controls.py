"""Controls of G29 and G35: what a followed redirect and a believed kind are seen to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from abuse.door import Door
from abuse.neighbour import forget, register
from abuse.watch import Watch
from gateway.house import VENTAS, WABA, House, Key
from portero.gateway import understanding
from portero.gateway.resources import Registry
from portero.gateway.upstream import Upstream, UpstreamRequest, UpstreamResponse
from portero.gateway.workspaces import WorkspaceState
from portero.store.registry import Resource

MEDIA = "100000000000591"


def test_g29_control_a_redirect_that_is_followed_is_seen_at_meta(
    door: Door, house: House, watch: Watch, everything: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Upstream.send

    async def following(
        self: Upstream, request: UpstreamRequest, *, before_first_byte: Callable[[], None]
    ) -> UpstreamResponse:
        answer = await send(self, request, before_first_byte=before_first_byte)
        if answer.status != 307:
            return answer
        moved = replace(request, target=f"/v23.0/{VENTAS}")
        return await send(self, moved, before_first_byte=lambda: None)

    monkeypatch.setattr(Upstream, "send", following)
    house.sandbox.control("faults", {"status": 307, "body": "moved"})

    door.call("GET", f"/v23.0/{WABA}/phone_numbers", key=everything)

    first, second = watch.ledger()
    assert first["headers"]["authorization"] == second["headers"]["authorization"]
    assert any("reached Meta without a record" in seen for seen in watch.expect_violations())


def test_g35_control_a_kind_taken_from_the_caller_is_seen_to_reach_meta(
    door: Door, house: House, watch: Watch, everything: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is taken for a template goes where only templates may."""
    register(house.workspace, "media", MEDIA, number=VENTAS)
    ask: dict[str, Any] = {"key": everything, "json": {"category": "UTILITY"}}
    target = f"/v23.0/{MEDIA}"
    try:
        assert door.call("POST", target, **ask).status == 400
        assert watch.ledger() == []
        look_up = Registry.look_up

        async def believing(
            self: Registry, state: WorkspaceState, ids: Iterable[str]
        ) -> dict[str, Resource]:
            found = await look_up(self, state, ids)
            return {i: replace(one, kind="template", parent=WABA) for i, one in found.items()}

        monkeypatch.setattr(Registry, "look_up", believing)
        monkeypatch.setattr(understanding, "known_ids", lambda *_: None)
        door.call("POST", target, **ask)
    finally:
        forget(house.workspace, MEDIA)

    assert [(one["method"], one["path"]) for one in watch.ledger()] == [("POST", target)]
