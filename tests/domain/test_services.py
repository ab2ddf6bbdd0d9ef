"""No door left open: what every public service must look like, read from the code itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portero.domain.access import services as access
from portero.domain.accounts import services as accounts
from portero.domain.workspaces import services as workspaces
from portero.engine import PERMISSIONS

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "portero" / "domain").glob("*/services/*.py"))
# Each gives nobody a right, or is the act that comes before there is anybody to ask.
NO_ACTOR = {
    "await_confirmation": "waits",
    "choose_password": "whoever has the link is who it is for",
    "make_sign_in_link": "for whoever runs the installation, and lets nobody past a second factor",
    "bearer_of": "reads",
    "begin_again": "a part of resetting, and for whoever runs the installation",
    "change_of": "reads",
    "factors_of": "reads",
    "has_factor": "reads",
    "is_undone": "reads",
    "remember": "a part of changing what one signs in with oneself",
    "require_all_held": "a part of a change that says who makes it",
    "stays_until": "a part of removing a factor of one's own",
    "undo": "whoever has the link is whom it concerns",
    "undo_token": "a part of the mail to whom it concerns",
    "accept": "whoever has the link and is signed in as whom it is for",
    "arrive": "a part of accepting, and of a password that an invitation gave",
    "prefer": "concerns nobody but the person themselves",
    "void_links": "a part of inviting and of removing",
    "stop_left_alone": "an act of the installation",
    "renew_builtin_roles": "an act of the installation",
    "create_builtin_roles": "a part of founding",
    "found_workspace": "the first act of a workspace",
    "require_foundable": "looks at what comes before there is anybody to ask",
    "record_command": "an act of the installation, in the name of nobody of the workspace",
    "register_person": "a person of no workspace holds nothing",
    "require_free_name": "looks within a service that was authorised",
    "require_person": "reads within a service that was authorised",
    "require_service_account": "reads within a service that was authorised",
}


ONE_THING = {
    "require_person": "principal",
    "require_service_account": "principal",
    "bearer_of": "token",
    "change_of": "token",
    "factors_of": "person",
    "has_factor": "person",
    "undo_token": "change",
    "renew_builtin_roles": "workspace",
}


def services() -> Iterator[tuple[str, Callable[..., Any]]]:
    for room in (access, accounts, workspaces):
        for name in room.__all__:
            service = getattr(room, name)
            if inspect.isfunction(service):
                yield name, service


@pytest.mark.parametrize(("name", "service"), list(services()))
def test_every_service_names_its_actor_and_takes_keywords_only(
    name: str, service: Callable[..., Any]
) -> None:
    parameters = inspect.signature(service).parameters

    if name in ONE_THING:
        assert list(parameters) == [ONE_THING[name]]
        return
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values()), parameters
    assert ("actor" in parameters) is (name not in NO_ACTOR)


def test_the_list_of_services_without_an_actor_is_closed() -> None:
    assert NO_ACTOR.keys() <= {name for name, _ in services()}


def written(pattern: str) -> set[str]:
    return {found for path in SOURCES for found in re.findall(pattern, path.read_text())}


def test_every_permission_a_service_demands_exists() -> None:
    demanded = written(r'change\.authorize\(\s*"([^"]+)"') | {"service_account:disable"}

    assert len(demanded) >= 9
    assert demanded <= PERMISSIONS.keys()


def test_every_event_a_service_records_is_documented() -> None:
    page = (ROOT / "docs" / "decisions" / "0002-tables-and-roles.md").read_text()
    documented = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", page.partition("## Audit events")[2]))

    assert documented == written(r'event="([^"]+)"')


def test_every_change_of_policy_says_which_service_it_is() -> None:
    for path in SOURCES:
        for name in re.findall(
            r'policy_change\(\s*actor=actor, operation="(\w+)"', path.read_text()
        ):
            assert f"def {name}(" in path.read_text(), (path, name)
