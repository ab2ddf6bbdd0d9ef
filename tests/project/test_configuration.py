"""A configuration is complete and safe, or nothing starts (B6.5)."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from portero.project.configuration import (
    SETTINGS,
    Address,
    Configuration,
    ConfigurationError,
    create_secrets,
)
from portero.store.sealing import KeyRing

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The smallest environment that is enough."""
    create_secrets(tmp_path)
    return {"PORTERO_STATE": str(tmp_path), "HOME": "/nowhere"}


def faults(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as refusal:
        Configuration.from_environment(environ)
    return str(refusal.value).splitlines()


def test_the_smallest_configuration_listens_here_and_calls_meta(environ: dict[str, str]) -> None:
    configuration = Configuration.from_environment(environ)

    assert configuration.graph_url == "https://graph.facebook.com"
    assert configuration.gateway_listen == Address("127.0.0.1", 8001)
    assert configuration.console_listen == Address("127.0.0.1", 8000)
    assert configuration.trusted_proxies == ()
    assert configuration.kek.version == 1


def test_b6_5_every_fault_is_named_at_once(tmp_path: Path) -> None:
    found = faults(
        {
            "PORTERO_STATE": str(tmp_path),
            "PORTERO_GRAPH_URL": "http://graph.example",
            "PORTERO_HOSTS": "*",
        }
    )

    named = {fault.partition(":")[0] for fault in found}
    assert named >= {
        "PORTERO_KEK_FILE",
        "PORTERO_PEPPER_FILE",
        "PORTERO_SECRET_KEY_FILE",
        "PORTERO_GRAPH_URL",
        "PORTERO_HOSTS",
    }


def test_k15_without_a_state_folder_nothing_starts() -> None:
    assert any(fault.startswith("PORTERO_STATE") for fault in faults({}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTERO_HOSTS", "*"),
        ("PORTERO_HOSTS", "portero.example, *.example"),
        ("PORTERO_HOSTS", ".example"),
        ("PORTERO_MEDIA_HOSTS", "*.fbsbx.com"),
        ("PORTERO_MEDIA_HOSTS", " , "),
        ("PORTERO_GRAPH_URL", "http://graph.facebook.com"),
        ("PORTERO_GRAPH_URL", "http://localhost.example"),
        ("PORTERO_GRAPH_URL", "https://graph.facebook.com/v23.0"),
        ("PORTERO_GRAPH_URL", "https://user@graph.facebook.com"),
        ("PORTERO_GRAPH_URL", "ftp://graph.facebook.com"),
        ("PORTERO_GRAPH_URL", "graph.facebook.com"),
        ("PORTERO_TRUSTED_PROXIES", "0.0.0.0/0"),
        ("PORTERO_TRUSTED_PROXIES", "10.0.0.0/8,::/0"),
        ("PORTERO_TRUSTED_PROXIES", "proxy.example"),
        ("PORTERO_GATEWAY_LISTEN", "8001"),
        ("PORTERO_GATEWAY_LISTEN", "127.0.0.1:0"),
        ("PORTERO_GATEWAY_LISTEN", "127.0.0.1:http"),
        ("PORTERO_GATEWAY_LISTEN", "127.0.0.1:65536"),
        ("DATABASE_URL", "postgresql://db.example/postgres"),
        ("DATABASE_URL", "postgresql:///postgres?user=admin"),
        ("DATABASE_URL", "postgresql://admin:secret@db.example/x?service=other"),
        ("DATABASE_URL", "admin:secret at db.example"),
        ("DATABASE_URL", "https://admin:secret@db.example"),
        ("PORTERO_KEK_FILE", "/etc/passwd/kek"),
        ("PORTERO_PEPPER_FILE", "/etc"),
        ("PORTERO_CONSOLE_LISTEN", "8000"),
        ("PORTERO_CONSOLE_LISTEN", "0.0.0.0:8000"),
        ("PORTERO_CONSOLE_LISTEN", "[::]:8000"),
        ("PORTERO_CONSOLE_LISTEN", "192.0.2.1:8000"),
        ("PORTERO_CONSOLE_LISTEN", "console.example:8000"),
        ("PORTERO_LIVE_LISTEN", "0.0.0.0:8003"),
        ("PORTERO_GATEWAY_LISTEN", "0.0.0.0:8001"),
        ("PORTERO_PUBLIC_URL", "http://wa.example.com"),
        ("PORTERO_CONSOLE_URL", "http://wa.example.com"),
    ],
)
def test_b6_5_an_unsafe_value_is_refused(environ: dict[str, str], name: str, value: str) -> None:
    (fault,) = faults({**environ, name: value})

    assert fault.startswith(f"{name}: ")
    assert "secret" not in fault


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_secret_that_cannot_be_read_is_a_fault(environ: dict[str, str]) -> None:
    path = Path(environ["PORTERO_STATE"]) / "secrets" / "kek"
    path.chmod(0o200)

    assert faults(environ) == [f"PORTERO_KEK_FILE: {path}: Permission denied"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:8000", Address("127.0.0.1", 8000)),
        ("127.0.0.2:8000", Address("127.0.0.2", 8000)),
        ("[::1]:8000", Address("::1", 8000)),
    ],
)
def test_the_console_listens_on_any_address_of_this_machine_alone(
    environ: dict[str, str], text: str, address: Address
) -> None:
    configuration = Configuration.from_environment({**environ, "PORTERO_CONSOLE_LISTEN": text})

    assert configuration.console_listen == address


PUBLIC = {
    "PORTERO_PUBLIC_URL": "https://WA.example.com:443/",
    "PORTERO_TRUSTED_PROXIES": "127.0.0.1/32",
}


def test_a_public_address_is_the_consoles_too_as_browsers_spell_it(
    environ: dict[str, str],
) -> None:
    configuration = Configuration.from_environment({**environ, **PUBLIC})

    assert configuration.is_public
    assert configuration.console_url == configuration.public_url == "https://wa.example.com"
    assert configuration.live_origin == ""
    assert configuration.console_origins == ("https://wa.example.com",)


def test_the_console_may_stay_on_this_machine_beside_a_public_gateway(
    environ: dict[str, str],
) -> None:
    here = {"PORTERO_CONSOLE_URL": "http://localhost:8000"}
    told = {**environ, "PORTERO_PUBLIC_URL": PUBLIC["PORTERO_PUBLIC_URL"], **here}
    configuration = Configuration.from_environment(told)

    assert not configuration.is_public
    assert configuration.console_url == "http://localhost:8000"
    assert configuration.live_origin == "http://localhost:8003"


def test_b6_5_a_public_console_without_a_proxy_is_refused(environ: dict[str, str]) -> None:
    (fault,) = faults({**environ, "PORTERO_PUBLIC_URL": PUBLIC["PORTERO_PUBLIC_URL"]})

    assert fault.startswith("PORTERO_TRUSTED_PROXIES: https://wa.example.com ")


def test_b6_5_other_machines_reach_only_what_stands_behind_tls(environ: dict[str, str]) -> None:
    open_ = {
        f"PORTERO_{one}_LISTEN": f"0.0.0.0:{port}"
        for one, port in (("CONSOLE", 8000), ("GATEWAY", 8001), ("LIVE", 8003))
    }

    found = faults({**environ, **open_})
    Configuration.from_environment({**environ, **open_, **PUBLIC})

    assert sorted(fault.partition(":")[0] for fault in found) == sorted(open_)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000", "http://localhost:9000/", "http://[::1]:9"]
)
def test_the_sandbox_of_this_machine_needs_no_tls(environ: dict[str, str], url: str) -> None:
    configuration = Configuration.from_environment({**environ, "PORTERO_GRAPH_URL": url})

    assert configuration.graph_url == url.rstrip("/")


def test_a_misspelt_setting_is_refused(environ: dict[str, str]) -> None:
    assert faults({**environ, "PORTERO_HOST": "x"}) == ["PORTERO_HOST is no setting of ours"]


@pytest.mark.parametrize("name", ["kek", "pepper", "secret-key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_b6_5_a_secret_others_can_read_is_refused(
    environ: dict[str, str], tmp_path: Path, name: str, mode: int
) -> None:
    (tmp_path / "secrets" / name).chmod(mode)

    (fault,) = faults(environ)
    assert "only its owner may read" in fault


@pytest.mark.parametrize(
    ("name", "text"),
    [("kek", ""), ("pepper", "1:c2hvcnQ="), ("secret-key", "insecure"), ("secret-key", "")],
)
def test_b6_5_a_secret_that_is_weak_or_broken_is_refused_and_not_repeated(
    environ: dict[str, str], tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / "secrets" / name).write_text(text)

    (fault,) = faults(environ)
    assert not text or text not in fault


def test_secrets_are_made_once_private_and_different(tmp_path: Path) -> None:
    create_secrets(tmp_path)
    before = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    create_secrets(tmp_path)
    after = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}

    assert before == after
    assert set(before) >= {"kek", "pepper", "secret-key"}
    assert len(set(before.values())) == len(before)
    for path in (tmp_path / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_k12_a_configuration_does_not_show_its_secrets(
    environ: dict[str, str], tmp_path: Path
) -> None:
    shown = repr(Configuration.from_environment(environ))

    for path in (tmp_path / "secrets").iterdir():
        assert path.read_text().split(":")[-1] not in shown


def test_a_secret_may_lie_elsewhere(environ: dict[str, str], tmp_path: Path) -> None:
    elsewhere = tmp_path / "mounted-kek"
    ring = KeyRing.generate()
    elsewhere.write_text(ring.text())
    elsewhere.chmod(0o600)

    configuration = Configuration.from_environment({**environ, "PORTERO_KEK_FILE": str(elsewhere)})

    assert configuration.kek.current == ring.current


def test_the_documentation_lists_every_setting_with_its_default() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", text, re.MULTILINE)

    assert [name for name, _ in rows] == list(SETTINGS)
    for name, documented in rows:
        default = SETTINGS[name]
        if default:
            assert documented == f"`{default}`", name
        else:
            assert documented.startswith(("none", "`<state>")), name


def django_says(environ: dict[str, str], statement: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PORTERO")}
    return subprocess.run(
        [sys.executable, "-c", f"from django.conf import settings; {statement}"],
        env={
            **clean,
            **environ,
            "PYTHONPATH": str(ROOT / "src"),
            "DJANGO_SETTINGS_MODULE": "portero.project.settings",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_b6_5_django_without_a_configuration_signs_nothing_and_has_no_database() -> None:
    signing = django_says({}, "settings.SECRET_KEY")
    asking = django_says({}, "from django.db import connection; connection.cursor()")
    debugging = django_says({}, "print(settings.DEBUG, settings.ALLOWED_HOSTS)")

    assert "SECRET_KEY setting must not be empty" in signing.stderr
    assert "ImproperlyConfigured" in asking.stderr
    assert debugging.stdout.strip() == "False []"
