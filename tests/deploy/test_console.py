"""What the shipped configurations say to set in Portero's environment, and a console told so."""

from __future__ import annotations

import re

import httpx
import pytest

from databases import Database
from deploy.proxies import DEPLOY
from e2e.installations import console_alone

FILES = ("nginx.conf", "Caddyfile")
_SETTING = re.compile(r"^# +(PORTERO_[A-Z_]+)=(\S+)$", re.MULTILINE)


def settings_of(file: str) -> dict[str, str]:
    return dict(_SETTING.findall((DEPLOY / file).read_text()))


def test_both_say_the_same() -> None:
    assert settings_of(FILES[0]) == settings_of(FILES[1])
    assert set(settings_of(FILES[0])) == {
        "PORTERO_PUBLIC_URL", "PORTERO_TRUSTED_PROXIES", "PORTERO_HOSTS",
    }  # fmt: skip


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "[::1]", "localhost"])
def test_the_console_answers_to_this_machine_by_any_of_its_names(
    shared_database: Database, address: str
) -> None:
    """Whoever keeps it running asks it by the address it listens on, not by its public name."""
    told = settings_of(FILES[0])
    with console_alone(shared_database, host=address, **told) as url:
        assert httpx.get(f"{url}/-/health", timeout=30).status_code == 200
        for host, status in ((told["PORTERO_HOSTS"], 302), ("elsewhere.example", 400)):
            assert httpx.get(url, headers={"host": host}, timeout=30).status_code == status
