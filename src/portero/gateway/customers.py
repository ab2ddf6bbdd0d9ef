"""Recipients and people in answers, as the contacts they are."""

from collections.abc import Iterable

from portero.gateway.workspaces import WorkspaceState
from portero.graphapi import phone
from portero.graphapi.errors import GraphError
from portero.graphapi.kinds import Recipient
from portero.store.contacts import Identity
from portero.store.ids import uuid7


def identities_of(recipients: Iterable[Recipient], state: WorkspaceState) -> tuple[Identity, ...]:
    """One identity per recipient; national twins of a number share it."""
    return tuple(_identity(r.kind, r.identity, r.value, state) for r in recipients)


def people_in_answer(payload: object, state: WorkspaceState) -> tuple[tuple[Identity, ...], ...]:
    """Who an answer to a send shows to be one person: a number and a business-scoped id."""
    contacts = payload.get("contacts") if isinstance(payload, dict) else None
    pairs = [
        link_of(state, wa_id=contact.get("wa_id"), user_id=contact.get("user_id"))
        for contact in (contacts if isinstance(contacts, list) else ())
        if isinstance(contact, dict)
    ]
    return tuple(pair for pair in pairs if pair)


def link_of(state: WorkspaceState, *, wa_id: object, user_id: object) -> tuple[Identity, ...]:
    """The two identities that Meta names side by side; none where it names one, or unreadably."""
    number = _readable(wa_id) if user_id else None
    scoped = _readable(user_id) if number is not None else None
    if number is None or scoped is None:
        return ()
    return tuple(_identity(r.kind, r.identity, r.value, state) for r in (number, scoped))


def _readable(text: object) -> Recipient | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        return phone.recipient(text)
    except GraphError:
        return None


def _identity(kind: str, identity: str, value: str, state: WorkspaceState) -> Identity:
    row = uuid7()
    return Identity(
        id=row,
        workspace=state.id,
        kind=kind,
        digest=state.secrets.contact_digest(kind, identity),
        sealed=state.secrets.seal("contact_identity", "sealed", row, value.encode()),
    )
