"""Recipients and people in answers, as the contacts they are."""

from collections.abc import Iterable

from portero.gateway.workspaces import WorkspaceState
from portero.graphapi import phone, webhooks
from portero.graphapi.errors import GraphError
from portero.graphapi.kinds import Recipient
from portero.store.contacts import Identity


def identities_of(recipients: Iterable[Recipient], state: WorkspaceState) -> tuple[Identity, ...]:
    """One identity per recipient; national twins of a number share it."""
    return tuple([_identity(one, state) for one in recipients])


def people_in_answer(payload: object, state: WorkspaceState) -> tuple[tuple[Identity, ...], ...]:
    """Whom an answer to a send names in several ways: by number and by business-scoped id."""
    contacts = payload.get("contacts") if isinstance(payload, dict) else None
    named = [
        webhooks.names_of(contact)
        for contact in (contacts if isinstance(contacts, list) else ())
        if isinstance(contact, dict)
    ]
    return people_named(state, filter(None, named))


def people_named(
    state: WorkspaceState, named: Iterable[Iterable[str]]
) -> tuple[tuple[Identity, ...], ...]:
    """The identities of each person, as Meta names them; a name that cannot be read is left out."""
    people = ([one for one in map(_readable, names) if one is not None] for names in named)
    return tuple(identities_of(person, state) for person in people if len(person) > 1)


def _readable(text: str) -> Recipient | None:
    try:
        return phone.recipient(text)
    except GraphError:
        return None


def _identity(one: Recipient, state: WorkspaceState) -> Identity:
    secrets, value = state.secrets, one.value.encode()
    return Identity(
        workspace=state.id,
        kind=one.kind,
        digest=secrets.contact_digest(one.kind, one.identity),
        seal=lambda row: secrets.seal("contact_identity", "sealed", row, value),
    )
