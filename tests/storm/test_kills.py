"""`kill -9` of the gateway under load: nothing unrecorded, nothing twice, back at once."""

import time
from pathlib import Path

import pytest

from gateway.house import House, Key
from storm.ledgers import compare, outcomes, wait_until_closed
from storm.storms import Killable, Seen, allowed_s, under_load

RATE = 200.0
KILLS = 5
BETWEEN_S = 0.8


def kill_under_load(
    house: House, key: Key, gateway: Killable, kills: int
) -> tuple[Seen, list[float]]:
    """Kill again and again while messages come; returns what clients saw and when it was killed."""
    moments = []
    gateway.start()
    gateway.wait_ready()
    with under_load(house, gateway.url, key, rate=RATE) as seen:
        for _ in range(kills):
            seen.until_ok(20)
            time.sleep(BETWEEN_S)
            moments.append(time.monotonic())
            gateway.kill()
            gateway.start()
            gateway.wait_ready()
    return seen, moments


def test_kill_nine_leaves_nothing_unrecorded_and_nothing_twice(
    house: House, key: Key, killable: Killable
) -> None:
    seen, moments = kill_under_load(house, key, killable, KILLS)
    wait_until_closed(house)

    found = compare(house, seen)
    assert found.violations == {}
    assert found.arrived >= len(seen.ok()) >= 20 * KILLS
    bar = allowed_s(5.0, start_took_s=killable.start_took_s)
    assert max(seen.back_after(moment) for moment in moments) < bar
    assert set(outcomes(house)) <= {"done", "unknown", "stopped"}


def test_control_a_record_written_after_the_send_is_found_out(
    house: House, key: Key, tmp_path: Path
) -> None:
    careless = Killable(house, tmp_path, sabotage=("record_after_the_send",))
    try:
        seen, _ = kill_under_load(house, key, careless, 2)
    finally:
        careless.close()

    assert compare(house, seen).unrecorded > 0


@pytest.mark.long
def test_fifty_kills(house: House, key: Key, killable: Killable) -> None:
    seen, moments = kill_under_load(house, key, killable, 50)
    wait_until_closed(house, within_s=30)

    found = compare(house, seen)
    assert found.violations == {}
    bar = allowed_s(5.0, start_took_s=killable.start_took_s)
    assert max(seen.back_after(moment) for moment in moments) < bar
