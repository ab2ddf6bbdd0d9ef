"""What is taken away is gone before the one who took it is told so, and not in the midst of an act."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from threading import Event
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
from django.db import connections

from cast import Cast, playing
from console.visitors import person_of, signed_in
from databases import Database
from portero.console import searching
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import AccessDenied
from portero.domain.access.services import changes
from portero.domain.accounts import services as accounts
from portero.domain.audit.models import Record, in_workspace
from portero.engine import Reach

ROUNDS = 60
READERS = 3


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


def member(cast: Cast, name: str) -> Actor:
    who = accounts.add_person(actor=cast.ana, email=f"{name}@enemy.example", name=name)
    return replace(cast.ana, principal=who)


def test_r15_nothing_made_after_a_revocation_is_shown_to_who_lost_the_right(cast: Cast) -> None:
    """Readers ask without a pause while rights come and go and, each time, something new is made."""
    reader = member(cast, "reader")
    role = access.create_role(
        actor=cast.ana, name="Reader of roles", cells={"role:read": Reach.ALL}
    )
    binding = access.create_binding(actor=cast.ana, principal=reader.principal, role=role)
    browsers = [signed_in(person_of(reader)) for _ in range(READERS)]
    over = Event()

    def reads(n: int) -> list[str]:
        told = []
        try:
            while not over.is_set():
                told.append(browsers[n].get("/roles/").content.decode())
        finally:
            connections.close_all()
        return told

    with ThreadPoolExecutor(READERS) as threads:
        running = [threads.submit(reads, n) for n in range(READERS)]
        try:
            for n in range(ROUNDS):
                access.revoke_binding(actor=cast.ana, binding=binding)
                secret = access.create_role(actor=cast.ana, name=f"Secret {n}", cells={})
                access.update_role(actor=cast.ana, role=secret, name=f"Open {n}", cells={})
                binding = access.create_binding(
                    actor=cast.ana, principal=reader.principal, role=role
                )
        finally:
            over.set()
        pages = [page for one in running for page in one.result()]

    assert len(pages) > ROUNDS
    assert any("Open 1" in page for page in pages)
    assert [page for page in pages if "Secret " in page] == []


def is_waited_for(database: Database) -> bool:
    """Whether somebody waits for the lock of a workspace."""
    with psycopg.connect(database.dsn()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = %s",
            [database.name],
        ).fetchone()
    assert row is not None
    return bool(row[0])


def test_r15_nor_found_by_the_search_which_asks_for_more_than_its_door(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = member(cast, "searcher")
    role = access.create_role(
        actor=cast.ana, name="Reader of people", cells={"member:read": Reach.ALL}
    )
    binding = access.create_binding(actor=cast.ana, principal=reader.principal, role=role)
    finds, looks = searching.accounts.members, []

    def too_late(*args: Any, **kwargs: Any) -> Any:
        if not looks:
            access.revoke_binding(actor=cast.ana, binding=binding)
            accounts.add_person(actor=cast.ana, email="new@enemy.example", name="Nueva Secreta")
        looks.append(args)
        return finds(*args, **kwargs)

    monkeypatch.setattr(searching.accounts, "members", too_late)
    answer = signed_in(person_of(reader)).get("/search/", {"q": "secreta"})

    assert looks, "control: it was looked for"
    assert answer.status_code == 200
    assert "Nueva Secreta" not in answer.content.decode()


def test_r15_nor_while_the_policy_never_rests(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    finds = searching.accounts.members
    names = (f"Nueva {n}" for n in count())

    def moves(*args: Any, **kwargs: Any) -> Any:
        name = next(names)
        address = f"{name.replace(' ', '.')}@enemy.example"
        accounts.add_person(actor=cast.ana, email=address, name=name)
        return finds(*args, **kwargs)

    monkeypatch.setattr(searching.accounts, "members", moves)
    answer = signed_in(person_of(cast.ana)).get("/search/", {"q": "nueva"})

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/search/?q=nueva"
    assert "Nueva" not in answer.content.decode()


def test_r16_a_right_cannot_be_taken_between_the_check_and_the_act(
    cast: Cast, shared_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The act holds the lock under which it was decided: a revocation comes after it, or before."""
    maker = member(cast, "maker")
    role = access.create_role(
        actor=cast.ana, name="Maker of teams", cells={"team:manage_members": Reach.ALL}
    )
    binding = access.create_binding(actor=cast.ana, principal=maker.principal, role=role)
    decided, may_go_on = Event(), Event()
    moves = changes.move_head

    def pauses(workspace: object) -> object:
        if not decided.is_set():
            decided.set()
            assert may_go_on.wait(10)
        return moves(workspace)  # type: ignore[arg-type]

    monkeypatch.setattr(changes, "move_head", pauses)

    def makes() -> None:
        try:
            access.create_team(actor=maker, name="Made in between")
        finally:
            connections.close_all()

    def revokes() -> None:
        try:
            access.revoke_binding(actor=cast.ana, binding=binding)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        making = threads.submit(makes)
        assert decided.wait(10)
        revoking = threads.submit(revokes)
        deadline = monotonic() + 10
        while not (waits := is_waited_for(shared_database)) and monotonic() < deadline:
            assert not revoking.done()
            sleep(0.02)
        assert waits, "the revocation waits for the lock of the act"
        may_go_on.set()
        making.result(timeout=10)
        revoking.result(timeout=10)

    with in_workspace(cast.ana.workspace):
        events = list(
            Record.objects.filter(event__in=["team.created", "binding.revoked"])
            .order_by("-policy_version")
            .values_list("event", flat=True)[:2]
        )
    assert events == ["binding.revoked", "team.created"]
    with pytest.raises(AccessDenied):
        access.create_team(actor=maker, name="Made after")
