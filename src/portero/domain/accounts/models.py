"""People, who are global, and the keys of service accounts."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Lower, Now
from typing_extensions import override

from portero.domain.audit.models import WorkspaceModel


def one_spelling(email: str) -> str:
    """The same for every spelling of an address by which `email__iexact` finds one person.

    The database compares in capitals, of which letters beyond ASCII have some of ours: a dotless i is
    an I. It may also be the same for others.
    """
    return email.upper().casefold()


class People(models.Manager["Person"]):
    def get_by_natural_key(self, email: str) -> Person:
        """The person who signs in with an address, however it is spelled."""
        return self.get(email__iexact=email)


class Person(AbstractBaseUser):
    """A human being. Memberships (`access.Principal`) are per workspace; the person is not."""

    id = models.UUIDField(primary_key=True)
    email = models.TextField()
    name = models.TextField()
    password = models.TextField(db_default="")
    """Argon2id, or no password anybody has: who was only invited cannot sign in yet."""
    language = models.TextField(db_default="")
    """In which the console and mails speak to them; empty where they never chose one."""
    spoken = models.TextField(db_default="en")
    """In which they were last spoken to: what their inviter or their browser spoke."""
    theme = models.TextField(db_default="")
    """`light`, `dark`, or empty: as their system is."""
    created_at = models.DateTimeField(db_default=Now())

    objects = People()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        db_table = "person"
        constraints = [models.UniqueConstraint(Lower("email"), name="person_email")]

    @override
    def __str__(self) -> str:
        return str(self.id)


class Session(AbstractBaseSession):
    """A browser in which somebody signed in. The key is a digest: the cookie is not in here."""

    session_key = models.TextField(primary_key=True)
    person_id = models.UUIDField(null=True)
    sits_in = models.UUIDField(null=True)
    """The workspace that the person is in with this browser."""
    created_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(null=True)
    address = models.TextField(db_default="")
    agent = models.TextField(db_default="")
    """What the browser says it is."""
    factors_taken = models.JSONField(db_default=[])
    """When second factors were shown, epoch seconds, each with the kind of act that it was for."""

    class Meta:
        db_table = "session"
        indexes = [models.Index(fields=["person_id"], name="session_person")]

    @override
    def save(self, *args: Any, force_update: bool = False, **kwargs: Any) -> None:
        """Written back whole, but for what is only changed where it stands (`sessions.factors_taken`)."""
        if force_update:
            names = {one.name for one in self._meta.fields if not one.primary_key}
            kwargs["update_fields"] = names - {"factors_taken"}
        super().save(*args, force_update=force_update, **kwargs)


class SignInBudget(models.Model):
    """How often a password was wrong in a row: for an account, a device or a network.

    The key is a digest.
    """

    key = models.BinaryField(primary_key=True)
    failures = models.IntegerField(db_default=0)
    last_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sign_in_budget"

    @override
    def __str__(self) -> str:
        return f"{self.failures} failures"


class StreamTicket(WorkspaceModel):
    """Lets one browser open one stream, once, within a minute. Only a digest of it is kept."""

    pk = models.CompositePrimaryKey("workspace_id", "digest")
    digest = models.BinaryField()
    principal_id = models.UUIDField()
    session_key = models.TextField()
    """As the session table has it; the stream ends with the session."""
    permission = models.TextField(null=True)
    """What the page needs; None = it is every member's."""
    address = models.TextField(null=True)
    factor_at = models.DateTimeField(null=True)
    passkey_at = models.DateTimeField(null=True)
    version = models.BigIntegerField()
    """Of the policy under which the page was made."""
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "stream_ticket"


class SignInLink(models.Model):
    """A link with which a person chooses a password, once. Only a digest of it is kept.

    One of an invitation is also bound to a workspace, and gives no new password to who has one.
    """

    id = models.UUIDField(primary_key=True)
    digest = models.BinaryField(unique=True)
    person_id = models.UUIDField()
    invites_to = models.UUIDField(null=True)
    """The workspace, of an invitation."""
    handed_over_by = models.UUIDField(null=True)
    """The principal of that workspace who was shown the link, where it was not mailed."""
    made_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sign_in_link"

    @override
    def __str__(self) -> str:
        return str(self.id)


class SignInChange(models.Model):
    """What somebody signed in with before a change of it, kept for as long as it can be undone."""

    id = models.UUIDField(primary_key=True)
    person_id = models.UUIDField()
    password = models.TextField()
    """As it is kept: a digest under the pepper."""
    factors = models.JSONField()
    """As allauth keeps them, the secrets sealed."""
    made_at = models.DateTimeField(db_default=Now())
    undone_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sign_in_change"
        indexes = [models.Index(fields=["person_id", "made_at"], name="sign_in_change_person")]

    @override
    def __str__(self) -> str:
        return str(self.id)


class ApiKey(WorkspaceModel):
    """A key of a service account, as an HMAC. It only narrows what the account may do."""

    pk = models.CompositePrimaryKey("workspace_id", "id")
    id = models.UUIDField()
    public_id = models.TextField()
    kind = models.TextField()
    principal_id = models.UUIDField()
    name = models.TextField()
    digest = models.BinaryField()
    pepper_version = models.IntegerField()
    role_id = models.UUIDField(null=True)
    permissions = models.JSONField(null=True)
    """Which permissions it keeps of its account's, a list; NULL = all."""
    counts_as = models.UUIDField(null=True)
    """The first of the keys in whose place it came; what is used of their limits is used of its."""
    scope = models.JSONField(default=dict)
    conditions = models.JSONField(default=dict)
    url_compatible = models.BooleanField(db_default=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    disabled_reason = models.TextField(null=True)
    author_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "api_key"
        constraints = [
            # Not per workspace: a key is looked up before its workspace is known. The id is twelve
            # random characters made by us, so a collision tells nobody anything.
            models.UniqueConstraint(fields=["public_id"], name="api_key_public_id")
        ]
