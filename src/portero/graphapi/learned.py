"""What an answer or a webhook tells about ids, for the workspace's registry to remember."""

from collections.abc import Mapping
from dataclasses import field

from portero.engine.values import valueclass
from portero.graphapi.kinds import Kind


@valueclass(frozen=True, slots=True)
class Learned:
    """An id that belongs to the workspace from now on.

    Attributes:
        kind: what it stands for.
        id: Meta's id.
        parent: the WhatsApp Business Account it hangs under, where known.
        number: the business phone number it hangs under, where known.
        attributes: what else is known: a template's name, language, category, status.
    """

    kind: Kind
    id: str
    parent: str | None = None
    number: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
