"""Facts about Meta's Graph API: a call's operation, permissions and resources; errors; webhooks.

Data in, data out: no I/O, no clock. What the table of operations does not know does not exist.
"""

from portero.graphapi.answers import paging_link, rebuild_answer, rebuild_error
from portero.graphapi.errors import CATALOGUE, CatalogueEntry, GraphError, meta_error
from portero.graphapi.inputs import GRAPH_WIDE_PARAMETERS, TOKEN_PARAMETERS
from portero.graphapi.kinds import (
    CHECKED_BY_PARENT,
    IdRef,
    Kind,
    Recipient,
    RecipientKind,
    TemplateRef,
)
from portero.graphapi.leaks import find_secret
from portero.graphapi.learned import Learned
from portero.graphapi.learning import learned_ids
from portero.graphapi.media import MEDIA_LIMITS, MediaLimit, limit_for
from portero.graphapi.operation import (
    Call,
    Field,
    FieldTree,
    Host,
    Modifier,
    Operation,
    Payload,
    RiskClass,
    UploadedFile,
)
from portero.graphapi.operations import OPERATIONS, TEMPLATE_CATEGORY_PERMISSIONS
from portero.graphapi.parse import RawCall, ids_in_path, parse, parse_media_upload
from portero.graphapi.refusals import refusal_for
from portero.graphapi.upstream import Upstream, rebuild

__all__ = [
    "CATALOGUE",
    "CHECKED_BY_PARENT",
    "GRAPH_WIDE_PARAMETERS",
    "MEDIA_LIMITS",
    "OPERATIONS",
    "TEMPLATE_CATEGORY_PERMISSIONS",
    "TOKEN_PARAMETERS",
    "Call",
    "CatalogueEntry",
    "Field",
    "FieldTree",
    "GraphError",
    "Host",
    "IdRef",
    "Kind",
    "Learned",
    "MediaLimit",
    "Modifier",
    "Operation",
    "Payload",
    "RawCall",
    "Recipient",
    "RecipientKind",
    "RiskClass",
    "TemplateRef",
    "UploadedFile",
    "Upstream",
    "find_secret",
    "ids_in_path",
    "learned_ids",
    "limit_for",
    "meta_error",
    "paging_link",
    "parse",
    "parse_media_upload",
    "rebuild",
    "rebuild_answer",
    "rebuild_error",
    "refusal_for",
]
