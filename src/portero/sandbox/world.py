"""The emulated Meta's state: built from a plain JSON document, changed by calls, reset at will."""

import base64
import copy
import hashlib
import json
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from portero.sandbox import worldfile
from portero.sandbox.objects import (
    App,
    Business,
    Flow,
    Group,
    Json,
    Media,
    Message,
    Number,
    Person,
    PhoneCall,
    Record,
    Scope,
    Template,
    Token,
    Upload,
    Waba,
)
from portero.sandbox.phones import bsuid_of
from portero.sandbox.rates import Rates
from portero.sandbox.reading import read_json
from portero.sandbox.worldfile import Limits, Speed, WorldError

Clock = Callable[[], float]
Node = App | Business | Waba | Number | Template | Media | Flow | Group | Message | Person | Record
_AnyRecord = TypeVar("_AnyRecord", bound=Record)

_WINDOW_S = 24 * 3600
_UPLOADED_LIFE_S, _INBOUND_LIFE_S = 30 * 24 * 3600, 7 * 24 * 3600
_MAX_MESSAGES = 200_000
_MAX_CALLS = 50_000
_MAX_ACTIVITIES = 10_000
_MAX_MEDIA_BYTES = 512 * 1024 * 1024
_KEYS = (
    "business",
    "tokens",
    "wabas",
    "callback",
    "windows",
    "customers",
    "opted_out",
    "unreachable",
    "prices",
    "people",
    "speed",
    "limits",
    "public_url",
    "require_app_secret",
)


class World:
    """Accounts and everything that happens to them. Times are Unix seconds by `clock`."""

    clock: Clock
    app: App
    business: Business
    speed: Speed
    limits: Limits
    prices: dict[str, float]  # category → what a billable message costs
    public_url: str | None
    require_app_secret: bool

    def __init__(self, source: Json) -> None:
        try:
            self._source = copy.deepcopy(source)
        except RecursionError as error:
            raise WorldError("the world is nested too deeply") from error
        self.clock = time.time
        self._serial = 0
        self.reset()

    @classmethod
    def from_dict(cls, source: Json) -> Self:
        """A world from its document.

        Raises:
            WorldError: the document lacks something, or holds what nobody would read.
        """
        return cls(source)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """A world from a JSON file. Raises `WorldError` and `OSError`."""
        try:
            source = read_json(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise WorldError(f"not JSON: {error}") from error
        return cls(source)

    @classmethod
    def default(cls) -> Self:
        """The world of an emulator started without a file: fixed, readable ids and token."""
        text = Path(__file__).with_name("default_world.json").read_text(encoding="utf-8")
        return cls(json.loads(text))

    def reset(self) -> None:
        """Back to the document."""
        part = worldfile.fields(self._source, "world", needed=("app",), known=_KEYS)
        source = part.values
        # Neither a restart nor a reset gives an id a second time, as Meta never does.
        self._serial = max(self._serial, int(self.clock()) * 100_000)
        self.began_at = self.clock()
        self.app = worldfile.app_from(source["app"])
        self.app.callback = worldfile.callback_from(source.get("callback"), self.app.verify_token)
        self.business = worldfile.business_from(source.get("business", {"id": "100000000000001"}))
        if self.business.id == self.app.id:
            raise WorldError(f"two things have the id {self.app.id}")
        self.speed = worldfile.speed_from(source.get("speed", {}))
        self.limits = worldfile.limits_from(source.get("limits", {}))
        self.public_url = None if source.get("public_url") is None else part.text("public_url")
        self.require_app_secret = part.flag("require_app_secret", default=False)
        self._forget_happenings()
        self._read_accounts(part.items("wabas"))
        self._read_tokens(part.items("tokens"))
        for item in part.items("people"):
            person = worldfile.person_from(item)
            self.people[self._unused(person.id)] = person
        self.prices = worldfile.prices_from(source.get("prices", {}))
        self._read_customers(part)

    def _forget_happenings(self) -> None:
        self.tokens: dict[str, Token] = {}
        self.wabas: dict[str, Waba] = {}
        self.numbers: dict[str, Number] = {}
        self.templates: dict[str, Template] = {}
        self.media: OrderedDict[str, Media] = OrderedDict()
        self._media_bytes = 0
        self.uploads: dict[str, Upload] = {}
        self.handles: dict[str, str] = {}  # of finished uploads → their ids
        self.flows: dict[str, Flow] = {}
        self.groups: dict[str, Group] = {}
        self.messages: OrderedDict[str, Message] = OrderedDict()
        self.histories: dict[str, Message] = {}  # the same by the ids of their histories
        self.received: OrderedDict[str, str] = OrderedDict()  # message id → number id
        self.calls: OrderedDict[str, PhoneCall] = OrderedDict()
        # number id, customer → until when the customer may be called
        self.call_permissions: dict[tuple[str, str], float] = {}
        # number id, customer → when the customer was asked for that
        self.permission_requests: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        self.names: dict[str, str] = {}
        self._identities: dict[str, int] = {}  # customer → how often the phone was changed
        self.rates = Rates()
        self.creations: defaultdict[str, list[float]] = defaultdict(list)  # account id → times
        # account id, template name, language → time
        self.deleted_names: dict[tuple[str, str, str], float] = {}
        self.opted_out: set[str] = set()
        self.unreachable: frozenset[str] = frozenset()
        self.people: dict[str, Person] = {}
        self.records: dict[str, Record] = {}
        self.activities: defaultdict[str, deque[Json]] = defaultdict(  # account id → its log
            lambda: deque(maxlen=_MAX_ACTIVITIES)
        )
        self._windows: dict[tuple[str, str], float] = {}
        self._by_user_id: dict[str, str] = {}

    def _read_accounts(self, sources: list[Any]) -> None:
        for source in sources:
            waba, numbers, templates = worldfile.waba_from(source)
            self.wabas[self._unused(waba.id)] = waba
            for number in numbers:
                self.numbers[self._unused(number.id)] = number
            names: set[tuple[str, str]] = set()
            for item in templates:
                template = worldfile.template_from(item, waba.id, self.new_id())
                template.updated_at = int(self.clock())
                if (template.name, template.language) in names:
                    raise WorldError(f"two templates are {template.name} in {template.language}")
                names.add((template.name, template.language))
                self.templates[self._unused(template.id)] = template

    def _unused(self, node_id: str) -> str:
        if self.node(node_id) is not None:
            raise WorldError(f"two things have the id {node_id}")
        return node_id

    def _read_tokens(self, sources: list[Any]) -> None:
        for position, source in enumerate(sources):
            token = worldfile.token_from(source, position, self.wabas)
            if token.token in self.tokens:
                raise WorldError(f"tokens[{position}] has the text of another token")
            self.tokens[token.token] = token
            self.people[token.user_id] = Person(token.user_id, token.name, is_system=True)

    def _read_customers(self, part: worldfile.Part) -> None:
        for item in part.items("customers"):
            customer = worldfile.fields(item, "customer", needed=("phone",), known=("name",))
            wa_id = worldfile.customer_from(customer.values["phone"])
            if "name" in customer.values:
                self.names[wa_id] = customer.text("name")
        for item in part.items("windows"):
            window = worldfile.fields(item, "window", needed=("number", "customer"), known=())
            number_id = str(window.values["number"])
            if number_id not in self.numbers:
                raise WorldError(f"window for unknown number {number_id}")
            self.open_window(number_id, worldfile.customer_from(window.values["customer"]))
        self.opted_out = {worldfile.customer_from(phone) for phone in part.items("opted_out")}
        self.unreachable = frozenset(map(worldfile.customer_from, part.items("unreachable")))

    def new_id(self) -> str:
        """A fresh id of fifteen digits."""
        self._serial += 1
        return f"{self._serial:015d}"

    def node(self, node_id: str) -> Node | None:
        """Whatever has this id; nothing in an id says its kind."""
        if node_id == self.app.id:
            return self.app
        if node_id == self.business.id:
            return self.business
        stores: tuple[dict[str, Any], ...] = (
            self.numbers,
            self.wabas,
            self.templates,
            self.media,
            self.flows,
            self.groups,
            self.histories,
            self.people,
            self.records,
        )
        found: Node | None = next((s[node_id] for s in stores if node_id in s), None)
        return found

    def waba_of(self, node: Node) -> Waba | None:
        """The account a node belongs to; None for what belongs to app or portfolio."""
        if isinstance(node, Waba):
            return node
        if isinstance(node, Media | Group | Message):
            return self.wabas[self.numbers[node.number_id].waba_id]
        if isinstance(node, Number | Template | Flow):
            return self.wabas[node.waba_id]
        if isinstance(node, Record):
            owner = self.node(node.owner_id)
            return None if owner is None else self.waba_of(owner)
        return None

    def numbers_of(self, waba_id: str) -> list[Number]:
        return [number for number in self.numbers.values() if number.waba_id == waba_id]

    def groups_of(self, number_id: str) -> list[Group]:
        return [group for group in self.groups.values() if group.number_id == number_id]

    def templates_of(self, waba_id: str) -> list[Template]:
        return [template for template in self.templates.values() if template.waba_id == waba_id]

    def keep(self, record: _AnyRecord) -> _AnyRecord:
        """Keep a record under its id."""
        self.records[record.id] = record
        return record

    def records_of(self, kind: type[_AnyRecord], owner_id: str) -> list[_AnyRecord]:
        """What of one kind belongs to an owner, oldest first."""
        every = self.records.values()
        return [one for one in every if isinstance(one, kind) and one.owner_id == owner_id]

    def template_named(self, waba_id: str, name: str, language: str) -> Template | None:
        """The account's template of a name in a language."""
        for template in self.templates_of(waba_id):
            if (template.name, template.language) == (name, language):
                return template
        return None

    def token(self, text: str) -> Token | None:
        """The token with this text; `APP_ID|APP_SECRET` is the app's own."""
        if text == f"{self.app.id}|{self.app.secret}":
            scopes = frozenset(map(str, Scope))
            return Token(text, scopes, self.app.id, self.app.name, is_app=True)
        return self.tokens.get(text)

    def user_id_of(self, wa_id: str) -> str:
        """The customer's business-scoped id, remembered so that it can be written to."""
        user_id = bsuid_of(self.business.id, wa_id)
        self._by_user_id[user_id] = wa_id
        return user_id

    def wa_id_behind(self, user_id: str) -> str:
        """The WhatsApp id of a known business-scoped id; empty for a stranger."""
        return self._by_user_id.get(user_id, "")

    def open_window(self, number_id: str, customer_key: str) -> None:
        """The customer wrote to the number just now."""
        self._windows[number_id, customer_key] = self.clock()

    def window_is_open(self, number_id: str, customer_key: str) -> bool:
        """Whether free-form messages may go from the number to the customer."""
        opened_at = self._windows.get((number_id, customer_key))
        return opened_at is not None and self.clock() - opened_at < _WINDOW_S

    def identity_of(self, customer: str) -> str:
        """The hash of the customer's identity key: another one after every change of phone."""
        seed = f"{self.business.id}:{customer}:{self._identities.get(customer, 0)}"
        return base64.b64encode(hashlib.sha256(seed.encode()).digest()[:12]).decode()

    def change_identity(self, customer: str) -> None:
        """The customer has another phone, or another person has the number."""
        self._identities[customer] = self._identities.get(customer, 0) + 1

    def remember_call(self, call: PhoneCall) -> None:
        """Keep a call, forgetting the oldest beyond the bound."""
        self.calls[call.id] = call
        if len(self.calls) > _MAX_CALLS:
            self.calls.popitem(last=False)

    def remember(self, message: Message) -> None:
        """Keep an accepted message, forgetting the oldest beyond the bound."""
        self.messages[message.id] = message
        self.histories[message.history_id] = message
        if len(self.messages) > _MAX_MESSAGES:
            _, oldest = self.messages.popitem(last=False)
            del self.histories[oldest.history_id]

    def remember_received(self, message_id: str, number_id: str) -> None:
        """Keep the id of a customer's message, so that it can be marked as read."""
        self.received[message_id] = number_id
        if len(self.received) > _MAX_MESSAGES:
            self.received.popitem(last=False)

    def keep_media(self, media: Media) -> None:
        """Store bytes, forgetting the oldest beyond the bound."""
        self.media[media.id] = media
        self._media_bytes += len(media.content)
        while self._media_bytes > _MAX_MEDIA_BYTES:
            self.forget_media(next(iter(self.media)))

    def forget_media(self, media_id: str) -> None:
        """Take stored bytes away."""
        self._media_bytes -= len(self.media.pop(media_id).content)

    def living_media(self, media_id: str) -> Media | None:
        """Stored bytes by id, unless their time has passed."""
        media = self.media.get(media_id)
        if media is None:
            return None
        life = _INBOUND_LIFE_S if media.inbound else _UPLOADED_LIFE_S
        return media if self.clock() - media.created_at < life else None
