"""Whoever runs the server: what their account sees, and where what they do there is seen (T11)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from cast import Cast, playing
from console.visitors import person_of, signed_in, with_an_app
from databases import Database
from portero.domain.access import services as access
from portero.domain.access.models import Binding
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import ApiKey, Person
from portero.domain.audit.models import Record, RecordOpen, in_workspace
from portero.domain.notices.services.listening import SEND
from portero.project.configuration import create_secrets
from portero.store.sealing import KeyRing
from project.test_commands import COMMANDS

CUSTOMER = "525512345678"
# In the order they run in: a key is made before it ends.
IN_A_WORKSPACE: dict[str, tuple[str, ...]] = {
    "portero role list": (),
    "portero role show": ("Agent",),
    "portero why": ("dora", "send:text", "--to", CUSTOMER),
    "portero policy export": ("--cedar",),
    "portero key create": ("robot", "--new-account", "robot", "--role", "Agent"),
    "portero key list": (),
    "portero key revoke": ("robot",),
    "portero person let-in": ("--reason", "the shop moved"),
}
WITHOUT_ONE = {
    "portero workspace create": "told below",
    "portero person link": "told below",
    "portero demo": "an installation of its own",
    "portero sandbox": "no database",
    "portero bench": "workspaces of its own",
    "portero serve gateway": "a process",
    "portero serve console": "a process",
    "portero serve live": "a process",
    "portero serve metrics": "a process",
    "portero worker": "a process",
    "portero migrate": "tables, whatever is in them",
    "portero backup": "all of it, sealed; nothing is shown but how much",
    "portero restore": "all of it, as it was; records that are put back are compared, not added to",
    "portero support-bundle": "how it runs; no row of a person, a customer or a rule",
    "portero doctor": "whether it runs; no row of a person, a customer or a rule",
    "portero db start": "a process",
    "portero db stop": "a process",
    "portero db status": "a process",
}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    state = shared_database.cluster.state
    create_secrets(state)
    kek = KeyRing.parse((state / "secrets" / "kek").read_text().strip())
    with playing(shared_database, kek=kek) as made:
        yield made


@pytest.fixture(scope="module")
def run(shared_database: Database, cast: Cast) -> Run:
    environment = {
        **os.environ,
        "PORTERO_STATE": str(shared_database.cluster.state),
        "PORTERO_DATABASE": shared_database.name,
        "PORTERO_MAIL_URL": "mailbox:",
        "LOGNAME": "somebody-else",
        "USER": "somebody-else",
    }

    def portero(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("portero"), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return portero


def here(cast: Cast, command: str) -> tuple[str, ...]:
    return (*command.split()[1:], *IN_A_WORKSPACE[command], "--workspace", str(cast.workspace))


def told(workspace: UUID, event: str = "command.run") -> list[dict[str, Any]]:
    """What the log of a workspace says of an event, with who acted; the latest last."""
    with in_workspace(workspace):
        records = list(Record.objects.filter(event=event).order_by("at"))
        bodies = {
            half.call_id: half.body
            for half in RecordOpen.objects.filter(call_id__in=[one.call_id for one in records])
        }
    return [
        {**bodies[one.call_id], "actor": one.actor, "effect": one.effect, "at": one.at}
        for one in records
    ]


def test_t11_no_command_is_left_out() -> None:
    assert COMMANDS.keys() == IN_A_WORKSPACE.keys() | WITHOUT_ONE.keys()


def test_t11_every_command_stands_in_the_log_of_its_workspace_and_of_no_other(
    cast: Cast, run: Run
) -> None:
    for command in IN_A_WORKSPACE:
        mine, theirs = len(told(cast.workspace)), len(told(cast.carla.workspace))

        done = run(*here(cast, command))

        assert done.returncode in (0, 1), done.stderr
        assert "Traceback" not in done.stderr
        [record] = told(cast.workspace)[mine:]
        assert record["command"] == command
        assert record["actor"] == access.OPERATOR
        assert record["operator"].endswith(f"@{socket.gethostname()}")
        assert "somebody-else" not in record["operator"]
        assert CUSTOMER not in json.dumps(record, default=str), "what it was given is left out"
        assert len(told(cast.carla.workspace)) == theirs


def test_t11_what_cannot_be_put_on_record_is_not_read(
    cast: Cast, run: Run, shared_database: Database
) -> None:
    with psycopg.connect(shared_database.dsn(), autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION no_more() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE 'the disk is full'; END $$"
        )
        connection.execute(
            "CREATE TRIGGER no_more BEFORE INSERT ON record FOR EACH ROW"
            " WHEN (NEW.event = 'command.run') EXECUTE FUNCTION no_more()"
        )
        try:
            done = [
                run("role", "list", "--workspace", str(cast.workspace)),
                run("person", "link", "dora@example.com"),
                run(
                    *("key", "create", "late", "--new-account", "late", "--role", "Agent"),
                    *("--workspace", str(cast.workspace)),
                ),
            ]
        finally:
            connection.execute("DROP FUNCTION no_more CASCADE")

    assert [one.stdout for one in done] == ["", "", ""]
    assert 0 not in {one.returncode for one in done}
    with in_workspace(cast.workspace):
        assert not ApiKey.objects.filter(name="late").exists()


def test_t11_what_is_changed_names_who_did_it_in_whose_name(cast: Cast, run: Run) -> None:
    made = run(
        *("key", "create", "stock", "--new-account", "stock", "--role", "Agent"),
        *("--as", "ana@example.com", "--workspace", str(cast.workspace)),
    )
    refused = run(
        *("key", "create", "mine", "--new-account", "mine", "--role", "Agent"),
        *("--as", "dora@example.com", "--workspace", str(cast.workspace)),
    )

    assert (made.returncode, refused.returncode) == (0, 1), (made.stderr, refused.stderr)
    *_, done, not_done = told(cast.workspace, "api_key.created")
    operator = told(cast.workspace)[-1]["operator"]
    assert (done["actor"], done["effect"]) == (cast.ana.id, "allow")
    assert (not_done["actor"], not_done["effect"]) == (cast.dora.id, "deny")
    assert done["operator"] == not_done["operator"] == operator
    assert "operator" not in told(cast.workspace, "person.added")[-1], (
        "of what people do themselves"
    )


def test_t11_the_owner_reads_of_it_in_the_console(cast: Cast, run: Run) -> None:
    run(*here(cast, "portero key list"))

    page = signed_in(person_of(cast.ana)).get("/?lang=en", headers={"accept-language": "en"})

    operator = told(cast.workspace)[-1]["operator"]
    assert f"<b>{operator}</b> ran on the server portero key list" in page.content.decode()


def test_t11_a_link_stands_in_the_log_of_every_place_of_the_person(cast: Cast, run: Run) -> None:
    accounts.add_person(actor=cast.carla, email="beto@example.com", name="beto")
    before = len(told(cast.workspace)), len(told(cast.carla.workspace))
    beto = person_of(cast.beto)
    with_an_app(beto)

    done = run("person", "link", "beto@example.com", "--new-factors")

    assert done.returncode == 0, done.stderr
    assert before == (len(told(cast.workspace)) - 1, len(told(cast.carla.workspace)) - 1)
    assert {told(one)[-1]["command"] for one in (cast.workspace, cast.carla.workspace)} == {
        "portero person link"
    }
    sent = ProcrastinateJob.objects.filter(task_name=SEND).values_list("args", flat=True)
    [mail] = [one for one in sent if one["person"] == str(beto.id)]
    assert (mail["name"], mail["undoes"] is not None) == ("factor_changed", True)


def test_t11_a_workspace_that_was_founded_says_by_whom(cast: Cast, run: Run) -> None:
    done = run("workspace", "create", "Nueva", "--owner", "eva@nueva.example", "--json")

    [record] = told(UUID(json.loads(done.stdout)["id"]))
    assert record["command"] == "portero workspace create"


@pytest.fixture
def operator() -> tuple[Person, Client]:
    """An account on this installation, of no workspace."""
    email = f"root{time.monotonic_ns()}@server.example"
    person = Person.objects.get(id=accounts.register_person(email=email, name="Root"))
    with_an_app(person)
    return person, signed_in(person)


def pages_of(cast: Cast) -> list[str]:
    return [
        "/",
        "/people/",
        "/roles/",
        "/limits/",
        "/guardrails/",
        f"/people/{cast.dora.principal}/",
        f"/roles/{cast.role('Agent')}/",
    ]


def test_t11_an_account_of_no_workspace_sees_none(
    cast: Cast, operator: tuple[Person, Client]
) -> None:
    _, browser = operator

    for page in pages_of(cast):
        answer = browser.get(page, follow=True)
        for name in ("Tienda Andina", "Clínica del Sur", "dora", "carla@example.com"):
            assert name not in answer.content.decode(), (page, name)
    entered = browser.post("/workspace/", {"workspace": str(cast.workspace)}, follow=True)
    assert "Tienda Andina" not in entered.content.decode()


def test_t11_let_in_by_the_workspace_until_a_date_and_in_its_log(
    cast: Cast, operator: tuple[Person, Client]
) -> None:
    person, browser = operator
    assert b"Tienda Andina" not in browser.get("/people/", follow=True).content

    role = cast.role("Administrator")
    [place] = accounts.invite(actor=cast.ana, guests=[accounts.Guest(person.email, "Root", role)])
    accounts.arrive(person=person.id, workspace=cast.workspace)
    with in_workspace(cast.workspace):
        given = Binding.objects.get(principal_id=place, valid_to=None).id
    now = replace(cast.ana, at=datetime.now(UTC))
    until = now.at + timedelta(seconds=3)
    access.replace_binding(actor=now, binding=given, role=role, until=until, reason="a fault")
    seen = browser.get("/people/", follow=True)
    while datetime.now(UTC) < until:
        time.sleep(0.05)
    after = browser.get("/people/", follow=True)

    assert "dora" in seen.content.decode()
    assert "dora" not in after.content.decode()
    assert after.status_code == 403
    for event in ("person.invited", "binding.created"):
        assert told(cast.workspace, event)[-1]["actor"] == cast.ana.id
