"""Writing one mail and handing it to the mail server."""

from __future__ import annotations

from email.utils import parseaddr
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils.crypto import salted_hmac
from django.utils.translation import override

from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.notices.services.registry import Facts


def send(
    *,
    person: UUID,
    name: str,
    facts: Facts,
    invites_to: UUID | None,
    undoes: UUID | None = None,
    lets_back: bool = False,
    job: int | None = None,
) -> None:
    """Write in the receiver's language, and send. Raises what the mail server answers.

    A link is made here and now: no job holds one, and every try makes another. Every try of a `job`
    has one Message-ID: a server that took a mail and was not heard gets it again, and can tell.
    """
    receiver = Person.objects.filter(id=person).first()
    if receiver is None or (undoes is not None and accounts.is_undone(change=undoes)):
        return
    link = ""
    if invites_to is not None:
        accounts.void_links(person=receiver.id, workspace=invites_to)
        link = _address(accounts.make_sign_in_link(person=receiver.id, workspace=invites_to))
    elif lets_back:
        link = _address(accounts.make_sign_in_link(person=receiver.id))
    undo = ""
    if undoes is not None:
        undo = f"{settings.PORTERO_CONSOLE_URL}/undo/{accounts.undo_token(undoes)}"
    _write(receiver, name, {**facts, "link": link, "undo": undo}, job=job)


def send_way_back_in(address: str) -> None:
    """A link to choose a new password, to whoever has this address and has come in before.

    Who has no second factor to show afterwards gets none: whoever reads the mailbox would own the
    account. They are told who lets them begin again.
    """
    receiver = (
        Person.objects.filter(email__iexact=address).exclude(password="", last_login=None).first()
    )
    if receiver is None:
        return
    if not accounts.has_factor(receiver.id):
        _write(receiver, "no_way_back_in", {})
        return
    link = _address(accounts.make_sign_in_link(person=receiver.id))
    _write(receiver, "way_back_in", {"link": link})


def _address(token: str) -> str:
    return f"{settings.PORTERO_CONSOLE_URL}/welcome/{token}"


def _write(receiver: Person, name: str, facts: Facts, *, job: int | None = None) -> None:
    with override(receiver.language or receiver.spoken):
        told = {**facts, "console": settings.PORTERO_CONSOLE_URL}
        subject, _, body = render_to_string(f"mail/{name}.txt", told).strip().partition("\n")
    # A name is somebody's own words: it must not become a header.
    subject = " ".join(subject.split())
    EmailMessage(
        subject,
        body.strip() + "\n",
        settings.DEFAULT_FROM_EMAIL,
        [receiver.email],
        headers={"Message-ID": _message_id(job, receiver, name)} if job is not None else None,
    ).send()


def _message_id(job: int, receiver: Person, name: str) -> str:
    # Keyed: a job's number says how many there were, and another database counts from one as well.
    drawn = salted_hmac("portero.mail", f"{job}:{receiver.id}:{name}", algorithm="sha256")
    _, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return f"<{drawn.hexdigest()[:32]}@{address.rpartition('@')[2]}>"
