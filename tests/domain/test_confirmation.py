"""A change returns once every live gateway process has seen it, or has lost its lease (I5)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest

from cast import Cast
from databases import Database
from portero.domain.access import services as access
from portero.domain.access.errors import NotConfirmed
from portero.domain.access.services import confirmation
from portero.store import heads
from portero.store.ids import uuid7


@dataclass
class Gateway:
    """A process as the others see it: a row with a lease and what it has seen."""

    connection: psycopg.Connection
    id: UUID

    def beat(self, lease: str) -> None:
        self.connection.execute(
            "INSERT INTO gateway_process VALUES (%(id)s, now(), clock_timestamp() + %(lease)s,"
            " pg_current_snapshot()) ON CONFLICT (id) DO UPDATE"
            " SET seen = pg_current_snapshot(), lease_until = excluded.lease_until",
            {"id": self.id, "lease": lease},
        )


@pytest.fixture
def gateway(app: Database) -> Iterator[Gateway]:
    with psycopg.connect(app.dsn("gateway"), autocommit=True) as connection:
        yield Gateway(connection, uuid7())


def timed_change(cast: Cast) -> float:
    started = time.monotonic()
    access.create_team(actor=cast.ana, name="Team")
    return time.monotonic() - started


def test_without_a_gateway_nobody_waits(cast: Cast) -> None:
    assert timed_change(cast) < 0.3


def test_i5_a_change_waits_for_a_process_that_has_not_seen_it(cast: Cast, gateway: Gateway) -> None:
    gateway.beat("10 s")
    beats_later = threading.Timer(0.4, gateway.beat, ["10 s"])
    beats_later.start()

    waited = timed_change(cast)

    beats_later.join()
    assert 0.3 < waited < 2


def test_i5_a_change_waits_no_longer_than_a_lease(cast: Cast, gateway: Gateway) -> None:
    """A process that was killed confirms nothing; its lease, and with it the wait, ends."""
    gateway.beat("500 ms")

    assert 0.3 < timed_change(cast) < 2


def test_i5_every_process_must_have_seen_it(cast: Cast, gateway: Gateway) -> None:
    other = Gateway(gateway.connection, uuid7())
    gateway.beat("600 ms")
    other.beat("600 ms")
    only_one_beats = threading.Timer(0.1, gateway.beat, ["10 s"])
    only_one_beats.start()

    waited = timed_change(cast)

    only_one_beats.join()
    assert waited > 0.4


def test_a_process_that_renews_its_lease_without_reading_is_reported_not_hidden(
    cast: Cast, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "PATIENCE_S", 0.2)
    gateway.beat("10 s")

    with pytest.raises(NotConfirmed):
        access.create_team(actor=cast.ana, name="Team")


def test_a_transaction_still_open_at_the_beat_is_not_taken_for_seen(
    cast: Cast, gateway: Gateway, app: Database
) -> None:
    """Versions commit out of order: a newer xid that was seen says nothing of an older one."""
    with psycopg.connect(app.dsn()) as slow:
        row = slow.execute("SELECT pg_current_xact_id()::text").fetchone()
        assert row is not None
        timed_change(cast)
        gateway.beat("10 s")

        assert confirmation._somebody_is_behind(row[0])

        slow.commit()
        gateway.beat("10 s")
        assert not confirmation._somebody_is_behind(row[0])
