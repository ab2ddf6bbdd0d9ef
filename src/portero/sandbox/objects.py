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


@dataclass(slots=True)
class Waba:
    """A WhatsApp Business Account; numbers and templates point to it by id."""

    id: str
    name: str
    info: Json
    subscribed: bool = True
    override: Callback | None = None
    people: dict[str, Json] = field(default_factory=dict)
    catalogs: list[str] = field(default_factory=list)


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
    blocked: dict[str, str] = field(default_factory=dict)
    qr_codes: dict[str, Json] = field(default_factory=dict)
    username: str | None = None

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


@dataclass(slots=True)
class Message:
    """An accepted outgoing message, kept so that its statuses can be sent."""

    id: str
    number_id: str
    recipient: "Recipient"
    kind: str
    category: str
    callback_data: str | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a message goes to, as Meta understood it. One of `wa_id` and `user_id` may be empty."""

    input: str
    wa_id: str
    user_id: str

    @property
    def key(self) -> str:
        """What windows, rates and opt-outs hang on."""
        return self.wa_id or self.user_id
