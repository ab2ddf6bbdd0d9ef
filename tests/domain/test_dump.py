"""K10: whoever has the whole database has no usable secret."""

from __future__ import annotations

import os
import secrets
import subprocess

import pytest

from cast import Cast
from databases import Database
from portero.domain.accounts import services as accounts
from portero.domain.workspaces import services as workspaces
from portero.store import keys
from portero.store.sealing import CannotOpen, KeyRing, Place, Secret

CANARIES = 100


def dump(database: Database) -> bytes:
    """Everything pg_dump can read, as text; bytea is hex there."""
    program = database.cluster.status().programs / "pg_dump"
    done = subprocess.run(
        [program, "--no-password", "--inserts", database.dsn()],
        check=True,
        capture_output=True,
        env={**os.environ, "PGPASSWORD": ""},
    )
    return done.stdout


def spellings(secret: bytes) -> list[bytes]:
    return [secret, secret.hex().encode(), secret.hex().upper().encode()]


def test_k10_no_secret_is_in_a_dump_in_any_spelling(cast: Cast, app: Database) -> None:
    waba = workspaces.add_waba(actor=cast.ana, meta_id="1", name="W")
    account = accounts.create_service_account(
        actor=cast.ana, name="bot", accountable=cast.ana.principal
    )
    planted = []
    for _ in range(CANARIES):
        canary = secrets.token_hex(16).encode()
        planted.append(canary)
        workspaces.store_credential(actor=cast.ana, waba=waba, token=Secret(canary))
    for n in range(5):
        app_secret, verify = (secrets.token_hex(16).encode() for _ in range(2))
        planted += [app_secret, verify]
        workspaces.set_meta_app(
            actor=cast.ana,
            app_id="1",
            app_secret=Secret(app_secret),
            verify_token=Secret(verify),
        )
        new = accounts.create_key(actor=cast.ana, service_account=account, name=f"k{n}")
        planted += [new.text.reveal(), new.text.reveal().split(b"_")[3]]

    text = dump(app)

    assert text.count(b"INSERT INTO public.credential") == CANARIES
    found = [secret for secret in planted if any(s in text for s in spellings(secret))]
    assert found == []


def test_k10_what_is_in_a_dump_cannot_be_used_without_kek_and_pepper(
    cast: Cast, app: Database
) -> None:
    """A thief with the rows but other keys: no ciphertext opens, no digest tells its key."""
    account = accounts.create_service_account(
        actor=cast.ana, name="bot", accountable=cast.ana.principal
    )
    new = accounts.create_key(actor=cast.ana, service_account=account, name="k")
    thief = KeyRing.generate()

    text = dump(app)

    digest = keys.digest(thief.current.reveal(), new.text.reveal().decode())
    assert digest.hex().encode() not in text
    with pytest.raises(CannotOpen):
        thief.open(Place(cast.workspace, "workspace_key", "wrapped", account), bytes(64))
