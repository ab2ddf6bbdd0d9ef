"""Things of a workspace by the names people use for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from portero.domain.access.authorize import Actor
from portero.domain.access.models import Principal, Role
from portero.domain.access.snapshot import State, current_state, lock_policy
from portero.domain.accounts.models import ApiKey, Person
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.models import Number, TemplateSet
from portero.engine import PrincipalKind
from portero.project.cli import installation
from portero.project.cli.problems import ExitCode, Problem
from portero.store import keys


@dataclass(frozen=True, slots=True)
class Directory:
    """Everything with a name, as it was at one policy version."""

    workspace: UUID
    state: State
    emails: Mapping[str, str]
    """Principal id of a person → e-mail address."""
    keys: tuple[ApiKey, ...]
    roles: tuple[Role, ...]
    numbers: tuple[Number, ...]
    template_sets: tuple[TemplateSet, ...]

    def actor(self, email: str | None) -> Actor:
        """Who acts: the member with that address, or the only owner. Raises Problem."""
        people = {p.id: p for p in self.state.policy.principals if p.kind is PrincipalKind.PERSON}
        if email is not None:
            wanted = [i for i, known in self.emails.items() if known.casefold() == email.casefold()]
        else:
            wanted = [p.id for p in people.values() if p.owner and p.active]
        if len(wanted) != 1:
            known = ", ".join(sorted(self.emails.values()))
            raise Problem(f"say with --as who does this; members are {known}", ExitCode.USAGE)
        return Actor(
            self.workspace, UUID(wanted[0]), datetime.now(UTC), operator=installation.operator()
        )

    def principal(self, text: str) -> str:
        """Id of the person, service account or team with this id, name or e-mail address."""
        named = [(p.id, (p.name, self.emails.get(p.id, ""))) for p in self.state.policy.principals]
        return _one("person, service account or team", text, named, self._living())

    def account(self, text: str) -> UUID:
        accounts = [
            (p.id, (p.name,))
            for p in self.state.policy.principals
            if p.kind is PrincipalKind.SERVICE_ACCOUNT
        ]
        return UUID(_one("service account", text, accounts, self._living()))

    def team(self, text: str) -> str:
        teams = [p for p in self.state.policy.principals if p.kind is PrincipalKind.TEAM]
        return _one("team", text, [(team.id, (team.name,)) for team in teams], self._living())

    def _living(self) -> set[str]:
        """Who acts: their names are their own, and whoever was stopped may have a namesake."""
        return {one.id for one in self.state.policy.principals if one.active}

    def role(self, text: str) -> UUID:
        return UUID(_one("role", text, [(str(role.id), (role.name,)) for role in self.roles]))

    def number(self, text: str) -> str:
        """Meta id of the number with this Meta id, display number or name."""
        named = [(n.meta_id, (n.name, n.display)) for n in self.numbers]
        return _one("number", text, named)

    def template_set(self, text: str) -> str:
        return _one("template set", text, [(str(s.id), (s.name,)) for s in self.template_sets])

    def find_key(self, text: str) -> ApiKey | None:
        """The key with this id, public id or name; None when there is none. Raises Problem for several."""
        whole = keys.find(text)  # a leaked key, pasted: its secret goes no further than here
        if whole is not None:
            text = whole.public_id
        named = [(str(key.id), (key.public_id, key.name)) for key in self.keys]
        now = datetime.now(UTC)
        living = {str(k.id) for k in self.keys if k.revoked_at is None and k.expires_at > now}
        found = _meant(_fitting(text, named), living)
        if len(found) > 1:
            several = f"several keys are called {text!r}: name one of {', '.join(found)}"
            raise Problem(several, ExitCode.USAGE)
        return next((key for key in self.keys if str(key.id) in found), None)

    def key(self, text: str) -> ApiKey:
        found = self.find_key(text)
        if found is None:
            called = "like that" if keys.PREFIX in text else repr(text)
            raise Problem(f"there is no key {called}: see `portero key list`", ExitCode.USAGE)
        return found

    def labels(self) -> Iterator[tuple[str, str]]:
        """Each id with words for it, to be put in its place in a sentence."""
        names = {p.id: p.name for p in self.state.policy.principals}
        roles = {str(role.id): role.name for role in self.roles}
        yield from ((i, f"“{name}”") for i, name in (names | roles).items())
        for binding in self.state.policy.bindings:
            role, holder = roles.get(binding.role, "?"), names.get(binding.principal, "?")
            yield binding.id, f"of {role} to {holder}"
        yield from ((str(key.id), f"“{key.name}”") for key in self.keys)
        yield from ((g.id, f"“{g.name}”") for g in self.state.policy.guardrails)
        yield from ((str(s.id), f"“{s.name}”") for s in self.template_sets)
        yield from ((n.meta_id, f"{n.name} ({n.meta_id})") for n in self.numbers)

    def in_words(self, sentence: str) -> str:
        """The sentence with names for ids."""
        for thing, words in self.labels():
            sentence = sentence.replace(thing, words)
        return sentence

    def name(self, thing: str) -> str:
        named = {p.id: p.name for p in self.state.policy.principals}
        named |= {str(role.id): role.name for role in self.roles}
        return named.get(thing, thing)


@contextmanager
def reading(workspace: UUID) -> Iterator[Directory]:
    """One transaction in which the policy and every name are of the same moment."""
    with in_workspace(workspace):
        lock_policy(exclusive=False)
        yield _read(workspace)


def directory(workspace: UUID) -> Directory:
    with reading(workspace) as found:
        return found


def _read(workspace: UUID) -> Directory:
    people = {
        person: principal
        for person, principal in Principal.objects.values_list("person_id", "id")
        if person is not None
    }
    emails = Person.objects.filter(id__in=list(people)).values_list("id", "email")
    return Directory(
        workspace=workspace,
        state=current_state(),
        emails={str(people[person]): email for person, email in emails},
        keys=tuple(ApiKey.objects.order_by("id")),
        roles=tuple(Role.objects.order_by("id")),
        numbers=tuple(Number.objects.order_by("id")),
        template_sets=tuple(TemplateSet.objects.order_by("id")),
    )


_Named = Iterable[tuple[str, tuple[str, ...]]]


def _fitting(text: str, named: _Named) -> list[str]:
    wanted = text.casefold()
    return [i for i, names in named if wanted == i or wanted in {n.casefold() for n in names}]


def _meant(found: list[str], living: Collection[str]) -> list[str]:
    """Of several with one name those that live, where there are any."""
    return [one for one in found if one in living] or found


def _one(what: str, text: str, named: _Named, living: Collection[str] = ()) -> str:
    known = list(named)
    found = _meant(_fitting(text, known), living)
    if len(found) == 1:
        return found[0]
    if found:
        several = f"several are called {text!r}: name one of {', '.join(found)}"
        raise Problem(several, ExitCode.USAGE)
    names = ", ".join(sorted(names[0] for _, names in known)) or "none yet"
    raise Problem(f"there is no {what} {text!r}: there are {names}", ExitCode.USAGE)
