"""What the emulated Meta holds: accounts, numbers, templates, media, messages. Plain mutable state."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")  # of templates


class Scope(StrEnum):
    """The OAuth scopes the emulator asks for."""

    MESSAGING = "whatsapp_business_messaging"
    MANAGEMENT = "whatsapp_business_management"
    BUSINESS = "business_management"


@dataclass(slots=True)
class Token:
    """A bearer token. `expires_at` is Unix seconds, 0 for never; `wabas` None reaches all."""

    token: str
    scopes: frozenset[str]
    user_id: str
    name: str
    expires_at: int = 0
    wabas: frozenset[str] | None = None
    is_app: bool = False


@dataclass(slots=True)
class Callback:
    """Where webhooks go. `fields` None means every field."""

    url: str
    verify_token: str
    fields: frozenset[str] | None = None


@dataclass(slots=True)
class App:
    id: str
    secret: str
    verify_token: str
    name: str
    callback: Callback | None = None


@dataclass(slots=True)
class Business:
    id: str
    name: str

    @property
    def named(self) -> Json:
        """How other nodes name it."""
        return {"id": self.id, "name": self.name}


@dataclass(slots=True)
class Waba:
    """A WhatsApp Business Account; numbers and templates point to it by id.

    `owner` is another portfolio that shares it with ours; None when it is our own.
    `restrictions` are what Meta took away for a while, in its words; `locked` takes everything.
    """

    id: str
    name: str
    info: Json
    subscribed: bool = True
    override: Callback | None = None
    people: dict[str, Json] = field(default_factory=dict)
    catalogs: list[str] = field(default_factory=list)
    owner: Business | None = None
    restrictions: frozenset[str] = frozenset()
    locked: bool = False


@dataclass(slots=True)
class Number:
    """A business phone number. `info` holds the node's readable fields as Meta names them."""

    id: str
    waba_id: str
    info: Json
    registered: bool = True
    pin: str | None = None
    verification_code: str | None = None
    register_times: list[float] = field(default_factory=list)
    allowed_recipients: frozenset[str] | None = None
    override: Callback | None = None
    profile: Json = field(default_factory=dict)
    settings: Json = field(default_factory=dict)
    commerce: Json = field(default_factory=dict)
    automation: Json = field(default_factory=dict)
    public_key: str | None = None
    blocked: dict[str, str] = field(default_factory=dict)  # customer → how it was typed
    qr_codes: dict[str, Json] = field(default_factory=dict)
    username: str | None = None
    requested_username: str | None = None
    official: str | None = None
    compliance: Json = field(default_factory=dict)
    synced: set[str] = field(default_factory=set)

    @property
    def checks_identity(self) -> bool:
        """Whether webhooks carry the customers' identity hashes."""
        return bool(self.settings.get("user_identity_change", {}).get("enable_identity_key_check"))

    @property
    def display_digits(self) -> str:
        """The number as webhooks print it: digits only."""
        return "".join(c for c in self.info["display_phone_number"] if c.isdigit())

    @property
    def metadata(self) -> Json:
        """How webhooks name the number."""
        return {"display_phone_number": self.display_digits, "phone_number_id": self.id}


@dataclass(slots=True)
class Template:
    """One language of a message template; name and language identify it within its account."""

    id: str
    waba_id: str
    name: str
    language: str
    category: str
    status: str
    components: list[Json]
    parameter_format: str = "POSITIONAL"
    quality: str = "UNKNOWN"
    rejected_reason: str = "NONE"
    info: Json = field(default_factory=dict)
    updated_at: int = 0
    edited_at: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Media:
    """Bytes with an id. `inbound` ones came from a customer and live shorter."""

    id: str
    number_id: str
    mime_type: str
    content: bytes
    created_at: float
    inbound: bool = False


@dataclass(slots=True)
class Upload:
    """A resumable upload: how many bytes were announced and came. Nobody reads them, none is kept."""

    id: str
    file_length: int
    received: int = 0


@dataclass(slots=True)
class Flow:
    id: str
    waba_id: str
    name: str
    status: str
    info: Json
    json_text: str = ""
    sent_at: list[float] = field(default_factory=list)  # kept while it is throttled


@dataclass(slots=True)
class Person:
    """A person or system user of the portfolio."""

    id: str
    name: str
    email: str | None = None
    role: str = "EMPLOYEE"
    is_system: bool = False


@dataclass(slots=True)
class Record:
    """Something kept under an id for its `owner_id`, in the members Meta gives it.

    Nothing here acts on it; it is kept, shown, changed and forgotten.
    """

    id: str
    owner_id: str
    info: Json


class Schedule(Record):
    """Opening hours or the like."""


class Welcome(Record):
    """A greeting for who comes from an advertisement."""


class Signup(Record):
    """A form by which customers ask for marketing."""


class PaymentSetup(Record):
    """How customers pay in the chat."""


class TemplateGroup(Record):
    """Templates that are looked at together."""


class PreverifiedNumber(Record):
    """A number a partner verified before a customer takes it."""


class Bot(Record):
    """The automation of a number, under the id by which it is read."""


class Profile(Record):
    """The business profile of a number, under the id by which it is read and changed."""


@dataclass(slots=True)
class Group:
    """A group of customers around one number; its id is no number.

    `participants` are WhatsApp ids; `requests` wait for approval: their id → (WhatsApp id, since).
    """

    id: str
    number_id: str
    subject: str
    description: str
    needs_approval: bool
    created_at: int
    invite: str
    participants: list[str] = field(default_factory=list)
    requests: dict[str, tuple[str, int]] = field(default_factory=dict)
    suspended: bool = False


@dataclass(slots=True)
class PhoneCall:
    """A call between a number and a customer; times are Unix seconds.

    `state` goes "ringing" → "accepted" → "ended", or straight to the end.
    """

    id: str
    number_id: str
    customer: str
    by_business: bool
    began_at: float
    callback_data: str | None = None
    state: str = "ringing"
    accepted_at: float | None = None
    ended_at: float | None = None

    @property
    def duration_s(self) -> int:
        """How long they spoke, in whole seconds."""
        if self.accepted_at is None or self.ended_at is None:
            return 0
        return int(self.ended_at - self.accepted_at)


@dataclass(frozen=True, slots=True)
class Event:
    """A status a message had: when, whether the subscriber took it, where it was told."""

    id: str
    status: str
    at: int
    told: bool
    url: str | None
    error: str | None


@dataclass(slots=True)
class Message:
    """An accepted outgoing message, kept so that its statuses can be sent and read.

    `history_id` is its id among the message histories; `group` the members a message to a group
    goes to; `clicks` how often each button of its template was pressed.
    """

    id: str
    history_id: str
    number_id: str
    recipient: "Recipient"
    kind: str
    category: str
    callback_data: str | None
    template_id: str | None = None
    group: tuple[str, ...] = ()
    events: list[Event] = field(default_factory=list)
    clicks: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a message goes to, as Meta understood it: a group, or a customer by either name."""

    input: str
    wa_id: str
    user_id: str
    group_id: str = ""

    @property
    def key(self) -> str:
        """What windows, rates and opt-outs hang on."""
        return self.group_id or self.wa_id or self.user_id
