"""Makes the workspace that is measured: `python -m portero.project.bench.founding FILE`.

A process of its own, because it needs Django, which nothing that measures should load.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import django

from portero.project.bench.stand import (
    APP_SECRET,
    META_TOKEN,
    NUMBERS,
    VERIFY_TOKEN,
    WABA,
    Shop,
)
from portero.project.installing import install
from portero.store.sealing import Secret

ROLE = "Sends texts"
DAY_LIMIT = 1_000_000_000  # counted like any other, and never reached


def main() -> None:
    """Bring the database to this release and found the workspace."""
    install()
    django.setup()
    Path(sys.argv[1]).write_text(json.dumps(found()))


def found() -> Shop:
    """Found a workspace whose key may send texts from its numbers, under a limit a day."""
    from portero.domain.access import services as access
    from portero.domain.access.authorize import Actor
    from portero.domain.accounts import services as accounts
    from portero.domain.workspaces import services as workspaces
    from portero.engine import HolderKind, Metric, Per, Reach, Scope

    owner = accounts.register_person(email="owner@bench.example", name="Owner")
    new = workspaces.found_workspace(name="Bench", timezone="UTC", owner=owner, owner_name="Owner")
    actor = Actor(new.id, new.owner, datetime.now(UTC))
    waba = workspaces.add_waba(actor=actor, meta_id=WABA, name="Bench")
    for number in NUMBERS:
        workspaces.add_number(
            actor=actor,
            waba=waba,
            meta_id=number,
            display=f"+52{number[-10:]}",
            name="Bench",
            country="MX",
        )
    workspaces.store_credential(actor=actor, waba=waba, token=Secret(META_TOKEN.encode()))
    workspaces.set_meta_app(
        actor=actor,
        app_id="1",
        app_secret=Secret(APP_SECRET.encode()),
        verify_token=Secret(VERIFY_TOKEN.encode()),
    )
    role = access.create_role(actor=actor, name=ROLE, cells={"send:text": Reach.ALL})
    account = accounts.create_service_account(actor=actor, name="Load", accountable=actor.principal)
    access.create_binding(
        actor=actor, principal=account, role=role, scope=Scope(numbers=frozenset(NUMBERS))
    )
    key = accounts.create_key(actor=actor, service_account=account, name="Load")
    access.create_limit(
        actor=actor,
        holder_kind=HolderKind.KEY,
        holder=key.id,
        metric=Metric.MESSAGES,
        per=Per.DAY,
        amount=DAY_LIMIT,
    )
    return {
        "workspace": str(new.id),
        "owner": str(new.owner),
        "account": str(account),
        "key_id": str(key.id),
        "key": key.text.reveal().decode(),
    }


if __name__ == "__main__":
    main()
