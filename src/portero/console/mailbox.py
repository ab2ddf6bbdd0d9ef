"""The mailbox of a demo: mails that went nowhere, to be read by whoever tries Portero."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portero.console import visits

_LATEST = 50
_BETWEEN = b"-" * 79  # what Django's backend writes after each mail


@dataclass(frozen=True, slots=True)
class Mail:
    at: datetime
    to: str
    subject: str
    body: str


def is_here() -> bool:
    """Whether mails are kept in a folder instead of being sent."""
    return bool(getattr(settings, "EMAIL_FILE_PATH", None))


def mailbox(request: HttpRequest) -> HttpResponse:
    person = visits.person_of(request)
    zone = visits.zone_of(person.pk) if person is not None else ZoneInfo("UTC")
    context = {
        "mails": _mails(Path(settings.EMAIL_FILE_PATH)),
        "zone": zone,
        "clock": f" ({zone.key})",
    }
    return render(request, "console/mailbox.html", context)


def _mails(folder: Path) -> list[Mail]:
    if not folder.is_dir():
        return []
    found = [
        _mail(part)
        for file in folder.glob("*.log")
        for part in file.read_bytes().split(_BETWEEN)
        if part.strip()
    ]
    return sorted(found, key=lambda mail: mail.at, reverse=True)[:_LATEST]


def _mail(text: bytes) -> Mail:
    read = email.message_from_bytes(text.strip(), policy=email.policy.default)
    return Mail(
        parsedate_to_datetime(read["Date"]), read["To"], read["Subject"], read.get_content()
    )
