"""An exported policy is sound Cedar: it parses, agrees with its schema, and escapes what it must."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from uuid import UUID

import cedarpy
import pytest

from cedar import asking
from databases import Database
from engine import generate, naive
from engine.generate import Request
from engine.readings import SEED
from portero.engine import (
    PERMISSIONS,
    Binding,
    Check,
    Conditions,
    Context,
    Guardrail,
    GuardrailKind,
    HolderKind,
    Hours,
    Limit,
    Metric,
    Per,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Resource,
    Role,
    Scope,
    compile_policy,
)
from portero.project import cedar

PORTERO = Path(sys.executable).with_name("portero")
NOW = Context(now=1_770_000_000.0, weekday=0, minute=600, address="10.0.0.1")
TEXT = Check("send:text", Resource("conversation", number="ventas"))
WRITER = Role("writer", "Writer", {"send:text": Reach.ALL})
ANA = Principal("ana", PrincipalKind.PERSON, "Ana")


def faults(export: cedar.Export) -> list[cedarpy.ValidationError]:
    """What Cedar's validator says of the policies; the entities must fit the schema, too."""
    cedarpy.Entities.from_json_str(json.dumps(export.entities), export.schema)
    found: list[cedarpy.ValidationError] = cedarpy.validate_policies(
        export.policies, export.schema
    ).errors
    return found


def allows(policy: Policy, check: Check = TEXT, context: Context = NOW) -> bool:
    [answer] = asking.answers(policy, [Request("ana", (check,), context, None)])
    return answer.allowed


def test_generated_policies_agree_with_the_schema():
    random = Random(SEED)
    for version in range(150):
        assert faults(cedar.export(generate.policy(random, version))) == []


def test_every_permission_is_an_action_of_its_group():
    for permission, spec in PERMISSIONS.items():
        resource = permission.partition(":")[0]
        assert f'action "{spec.key}" in ["{resource}:*"] appliesTo' in cedar.schema()


def test_a_role_with_everything_is_sound():
    everything = Role("all", "All", dict.fromkeys(PERMISSIONS, Reach.ALL))
    policy = Policy("w", 1, (ANA,), (everything,), (Binding("b1", "ana", "all"),))

    assert faults(cedar.export(policy)) == []
    assert all(allows(policy, Check(permission, TEXT.resource)) for permission in PERMISSIONS)


@pytest.mark.parametrize(
    "text",
    ['"', "\\", "line\nbreak", "tab\t", "nul\0", "Ñandú", "\u2028", "*/ //", "🙂", '"); permit('],
)
def test_no_name_can_break_out_of_its_place(text):
    """Every text in a policy is somebody's: names, ids, reasons."""
    holder = Principal(text, PrincipalKind.PERSON, text)
    role = Role(text, text, {"send:text": Reach.ALL})
    binding = Binding(text, text, text, Scope(numbers=frozenset({text})), reason=text)
    rail = Guardrail(
        text, text, GuardrailKind.DENY, frozenset({"send:video"}), principals=frozenset({text})
    )
    policy = Policy(text, 1, (holder,), (role,), (binding,), (rail,))
    export = cedar.export(policy)
    inside = Check("send:text", Resource("conversation", number=text))

    assert faults(export) == []
    [answer] = asking.answers(policy, [Request(text, (inside,), NOW, None)])
    assert answer == asking.Answer(allowed=True, because=frozenset({text}))


def test_an_ipv4_network_written_as_ipv6_is_read_as_ipv4():
    """Cedar takes the two for different machines, so the export and whoever asks normalise."""
    for networks in (("10.0.0.0/8",), ("::ffff:10.0.0.0/104",)):
        office = Conditions(networks=networks)
        policy = Policy(
            "w", 1, (ANA,), (WRITER,), (Binding("b", "ana", "writer", conditions=office),)
        )
        assert allows(policy)
        [answer] = asking.answers(
            policy,
            [Request("ana", (TEXT,), Context(NOW.now, 0, 600, "::ffff:10.0.0.1"), None)],
        )
        assert answer.allowed


SCOPED = 'fe80::1%")) || true || context.address.isInRange(ip("::1/128'


@pytest.mark.parametrize("written", ["fe80::1%eth0/128", SCOPED])
def test_a_network_of_one_interface_is_none_anywhere(written: str) -> None:
    """A scope after % may hold any text, so it must neither be obeyed nor be printed."""
    inside = Conditions(networks=(written,))
    bound = Binding("b", "ana", "writer", conditions=inside)
    policy = Policy("w", 1, (ANA,), (WRITER,), (bound,))
    snapshot = compile_policy(policy)

    assert faults(cedar.export(policy)) == []
    for address in ("fe80::1", "10.0.0.1"):
        here = Context(NOW.now, 0, 600, address)
        assert not snapshot.decide("ana", (TEXT,), here, None).allowed
        assert not naive.decide(policy, "ana", (TEXT,), here, None).allowed
        assert not allows(policy, context=here)


def test_a_moment_between_two_milliseconds_gives_nothing_more():
    at = 1_770_000_000.0004
    assert cedar.moment(at) == "2026-02-02T02:40:00.000Z"
    assert cedar.moment(at, earliest=True) == "2026-02-02T02:40:00.001Z"


def test_what_cedar_cannot_say_is_counted_in_the_heading():
    demands = [GuardrailKind.REQUIRE_CONSENT, GuardrailKind.REQUIRE_WINDOW]
    rails = [Guardrail(k, k, k, frozenset({"send:*"})) for k in demands]
    limit = Limit("l", HolderKind.WORKSPACE, "", Metric.MESSAGES, Per.DAY, 5)
    export = cedar.export(Policy("w", 7, guardrails=tuple(rails), limits=(limit,)))

    heading, _, rest = export.policies.partition("\n\n")
    assert "Version 7" in heading
    assert "1 limits, 2 guardrails" in heading
    assert "guardrail/" not in rest


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_starts():
    nights = (Hours(days=frozenset({6}), start=1320, end=360),)
    night = Conditions(hours=nights)
    policy = Policy("w", 1, (ANA,), (WRITER,), (Binding("b", "ana", "writer", conditions=night),))
    sunday_night, monday_early, monday_night = (6, 1320), (0, 359), (0, 1320)

    assert allows(policy, context=Context(NOW.now, *sunday_night))
    assert allows(policy, context=Context(NOW.now, *monday_early))
    assert not allows(policy, context=Context(NOW.now, *monday_night))


@pytest.fixture
def andina(database: Database) -> Iterator[tuple[Database, UUID]]:
    """The demo's workspace on a database of its own."""
    from django.conf import settings

    from django_ready import django_on
    from portero.project.configuration import create_secrets
    from portero.project.demo.seed import make
    from portero.project.demo.world import new_world
    from portero.store.sealing import KeyRing

    create_secrets(database.cluster.state)
    settings.PORTERO_KEK, settings.PORTERO_PEPPER = KeyRing.generate(), KeyRing.generate()
    with django_on(database.dsn("app")):
        yield database, make(new_world()).workspace


def portero(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "PORTERO_STATE": str(database.cluster.state),
        "PORTERO_DATABASE": database.name,
        "PORTERO_GRAPH_URL": "http://127.0.0.1:1",
    }
    return subprocess.run(
        [str(PORTERO), *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_writes_three_files_that_belong_together(andina, tmp_path):
    database, _ = andina
    done = portero(database, "policy", "export", "--cedar", "--out", str(tmp_path / "cedar"))

    assert done.returncode == 0, done.stderr
    policies, schema, entities = (
        (tmp_path / "cedar" / name).read_text()
        for name in ("policy.cedar", "schema.cedarschema", "entities.json")
    )
    assert cedarpy.validate_policies(policies, schema).errors == []
    known = cedarpy.Entities.from_json_str(entities, schema)
    assert '@role("Administrator")\n@holder("Ana Quispe")' in policies
    assert '"kind": "team"' in str(known)


def test_the_example_of_the_page_runs_as_it_stands(andina, tmp_path):
    database, _ = andina
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "cedar.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    portero(database, "policy", "export", "--cedar", "--out", str(tmp_path / "cedar"))

    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Decision.Deny")  # nobody has the id that stands in the page


def test_without_a_folder_the_policies_go_to_stdout(andina):
    database, workspace = andina
    done = portero(database, "policy", "export", "--cedar", "--workspace", str(workspace))

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("// Version")
    assert cedarpy.PolicySet.from_str(done.stdout)


def test_the_demos_policy_decides_alike_in_cedar(andina):
    from portero.project.cli.work.directory import directory

    _, workspace = andina
    policy = directory(workspace).state.policy
    snapshot = compile_policy(policy)
    numbers = sorted({n for b in policy.bindings for n in b.scope.numbers or ()})
    requests = [
        Request(principal.id, (Check(permission, Resource("number", number=number)),), NOW, None)
        for principal in policy.principals
        for permission in ("send:text", "send:template", "template:read", "role:assign")
        for number in numbers
    ]

    decided = [snapshot.decide(r.principal, r.checks, r.context).allowed for r in requests]
    assert [answer.allowed for answer in asking.answers(policy, requests)] == decided
    assert {True, False} == set(decided)


def test_an_export_in_no_words_is_a_mistake_on_the_command_line():
    done = subprocess.run(
        [str(PORTERO), "policy", "export"], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert "--cedar" in done.stderr
