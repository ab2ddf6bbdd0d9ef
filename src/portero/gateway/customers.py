"""Recipients and people in answers, as the contacts they are."""

from collections.abc import Iterable, Mapping

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
    groups = []
    for contact in contacts if isinstance(contacts, list) else ():
        group = _names_of(contact, state) if isinstance(contact, dict) else ()
        if len(group) > 1:
            groups.append(group)
    return tuple(groups)


def _names_of(contact: Mapping[str, object], state: WorkspaceState) -> tuple[Identity, ...]:
    return link_of(state, wa_id=contact.get("wa_id"), user_id=contact.get("user_id"))


def link_of(state: WorkspaceState, *, wa_id: object, user_id: object) -> tuple[Identity, ...]:
    """The identities that Meta names side by side; what cannot be read is left out."""
    found: list[Identity] = []
    for text in (wa_id, user_id):
        recipient = _readable(text)
        if recipient is not None:
            found.append(_identity(recipient.kind, recipient.identity, recipient.value, state))
    return tuple(found)


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
