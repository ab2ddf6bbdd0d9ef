"""What one operation of the Graph API is, and what a request for it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from portero.engine.values import valueclass
from portero.graphapi.kinds import IdRef, Kind, Recipient, TemplateRef
from portero.graphapi.shapes import Members


class RiskClass(StrEnum):
    """How the gateway treats an operation (security rule B4.6).

    High-risk operations change who receives messages, who may enter, or whether a number works;
    they need an owner, a fresh factor and a second person. What never is offered returns a
    credential, shows the gateway's own identity, or cannot be judged.
    """

    READ = "read"
    SEND = "send"
    CONFIGURE = "configure"
    HIGH_RISK = "high_risk"
    NEVER = "never"


class Payload(StrEnum):
    """What the body of a request for an operation may be, besides fields."""

    FIELDS = "fields"
    FILE = "file"  # multipart with one file, streamed by the gateway
    BYTES = "bytes"  # the body is the file


class Host(StrEnum):
    """Meta's host that serves an operation. The second one takes no version in the path."""

    GRAPH = "graph.facebook.com"
    API = "api.facebook.com"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing a method and a path do, told apart by the whole request where needed.

    Attributes:
        name: stable name, e.g. "send_message".
        method: HTTP method at Meta.
        template: path without version, ids as placeholders of their kind: "/{number}/messages".
        risk: how it is treated.
        event: audit event, noun.verb.
        permissions: every one is checked. Messages add theirs from the body.
        claims: parts of a request that mean this operation and not another of the same path:
            "pin", "calling.sip" (a part inside a part), "action=connect" (a value).
        adds: claim → permission that its presence adds.
        params: query parameters.
        body: body fields, None when it takes none.
        answer: what is kept of the answer, beside nodes.
        node: the name of the node type that `fields=` selects from.
        listed: whether the answer is a list with paging.
        inside: the member of `data` that holds the list, where Graph nests it once more.
        names_template: whether `name` and `language` of the request name a template.
        payload: what else than fields the body may be.
        host: Meta's host.
        segments: the parts of the template: literals, and placeholders such as "{number}".
        slots: the position of every id in the path, and its kind.
    """

    name: str
    method: str
    template: str
    risk: RiskClass
    event: str
    permissions: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    adds: Mapping[str, str] = field(default_factory=dict)
    params: Members = field(default_factory=lambda: Members({}))
    body: Members | None = None
    answer: Members | None = None
    node: str | None = None
    listed: bool = False
    inside: str | None = None
    names_template: bool = False
    payload: Payload = Payload.FIELDS
    host: Host = Host.GRAPH
    segments: tuple[str, ...] = field(init=False)
    slots: tuple[tuple[int, Kind], ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read the template once; every request is compared with it."""
        segments = tuple(part for part in self.template.split("/") if part)
        slots = tuple((i, Kind(s[1:-1])) for i, s in enumerate(segments) if s.startswith("{"))
        object.__setattr__(self, "segments", segments)
        object.__setattr__(self, "slots", slots)


@dataclass(frozen=True, slots=True)
class Modifier:
    """`.limit(5)` behind a field, its argument typed."""

    name: str
    value: object


@dataclass(frozen=True, slots=True)
class Field:
    """One name in `fields=`, with its modifiers and what is selected inside it."""

    name: str
    modifiers: tuple[Modifier, ...] = ()
    children: "FieldTree | None" = None


FieldTree = tuple[Field, ...]


@valueclass(frozen=True, slots=True)
class Call:
    """A request in typed parts: all that is decided on, and all that is sent on.

    Attributes:
        operation: the one operation it is.
        version: "v23.0" as the caller wrote it, None without.
        ids: every id anywhere in the request, with its place.
        permissions: what is checked; one or more, one per expanded edge of `fields=` too.
        params: typed query parameters, in the order of the request.
        body: typed body, None when there is none.
        form: whether the caller wrote the body as a form.
        fields: the parsed `fields=`, None without.
        recipients: everybody the request reaches or names.
        template: the template it sends or changes by name.
        contents: "template", "free_form", or None when it sends nothing.
        messages: how many messages it sends, 0 or 1.
        file: the file of a multipart request.
        path_ids: the ids of the path, in its order.
    """

    operation: Operation
    version: str | None
    ids: tuple[IdRef, ...]
    permissions: tuple[str, ...]
    params: Mapping[str, object]
    body: Mapping[str, object] | None
    form: bool = False
    fields: FieldTree | None = None
    recipients: tuple[Recipient, ...] = ()
    template: TemplateRef | None = None
    contents: str | None = None
    messages: int = 0
    file: "UploadedFile | None" = None
    path_ids: tuple[IdRef, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Tell the ids of the path apart once; they are asked for all along a call's way."""
        in_path = tuple([ref for ref in self.ids if ref.place == "path"])
        object.__setattr__(self, "path_ids", in_path)


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """What a multipart request says of its file; the bytes stay with the gateway."""

    field: str
    name: str
    type: str
