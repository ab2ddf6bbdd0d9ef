"""Message templates and flows."""

from typing import Final

from portero.graphapi.operation import Host, Operation, Payload, RiskClass
from portero.graphapi.tables.rows import COST_METRICS, change, high, list_of, read

_LIST: Final = "/{waba}/message_templates"
_GROUPS: Final = "/{waba}/template_groups"
_FLOWS: Final = "/{waba}/flows"

ROWS: Final[tuple[Operation, ...]] = (
    list_of("template", "list_templates", _LIST, "template:read", "template.listed"),
    change(
        "create_template",
        "POST",
        _LIST,
        "template:create",
        "template.created",
        names_template=True,
    ),
    change(
        "delete_template",
        "DELETE",
        _LIST,
        "template:delete",
        "template.deleted",
        claims=("name", "hsm_id"),
        names_template=True,
    ),
    change(
        "delete_templates",
        "DELETE",
        _LIST,
        "template:delete",
        "template.deleted",
        claims=("hsm_ids",),
    ),
    change(
        "archive_templates",
        "POST",
        f"{_LIST}/archive",
        "template:archive",
        "template.archived",
        host=Host.API,
    ),
    change(
        "unarchive_templates",
        "POST",
        f"{_LIST}/unarchive",
        "template:archive",
        "template.unarchived",
        host=Host.API,
    ),
    read("read_template", "/{template}", "template:read", "template.read", node="template"),
    change("update_template", "POST", "/{template}", "template:update", "template.updated"),
    change(
        "unpause_template", "POST", "/{template}/unpause", "template:update", "template.unpaused"
    ),
    read(
        "compare_templates",
        "/{template}/compare",
        "template:read_analytics",
        "template.compared",
        listed=True,
    ),
    Operation(
        "upsert_templates",
        "POST",
        "/{waba}/upsert_message_templates",
        RiskClass.CONFIGURE,
        "template.upserted",
        ("template:create", "template:update"),
        names_template=True,
    ),
    change(
        "migrate_templates",
        "POST",
        "/{waba}/migrate_message_templates",
        "template:migrate",
        "template.migrated",
    ),
    read(
        "preview_templates",
        "/{waba}/message_template_previews",
        "template:read",
        "template.previewed",
        listed=True,
    ),
    list_of(
        "library_template",
        "search_template_library",
        "/message_template_library",
        "template:read",
        "template_library.searched",
    ),
    list_of("template_group", "list_template_groups", _GROUPS, "template:read", "template.listed"),
    change("create_template_group", "POST", _GROUPS, "template:update", "template_group.created"),
    read(
        "read_template_analytics",
        "/{waba}/template_analytics",
        "template:read_analytics",
        "report.read",
        adds=COST_METRICS,
        listed=True,
    ),
    read(
        "read_template_group_analytics",
        "/{waba}/template_group_analytics",
        "template:read_analytics",
        "report.read",
        adds=COST_METRICS,
        listed=True,
    ),
    list_of("flow", "list_flows", _FLOWS, "flow:read", "flow.listed"),
    change(
        "create_flow",
        "POST",
        _FLOWS,
        "flow:create",
        "flow.created",
        adds={"publish=true": "flow:publish", "clone_flow_id": "flow:read"},
    ),
    # An endpoint receives what customers fill in.
    high(
        "create_flow_with_endpoint",
        "POST",
        _FLOWS,
        "flow:create",
        "flow.created",
        claims=("endpoint_uri",),
        adds={"publish=true": "flow:publish", "clone_flow_id": "flow:read"},
    ),
    change("migrate_flows", "POST", "/{waba}/migrate_flows", "flow:migrate", "flow.migrated"),
    read("read_flow", "/{flow}", "flow:read", "flow.read", node="flow"),
    change("update_flow", "POST", "/{flow}", "flow:update", "flow.updated"),
    high(
        "set_flow_endpoint",
        "POST",
        "/{flow}",
        "flow:update",
        "flow.endpoint_changed",
        claims=("endpoint_uri", "application_id"),
    ),
    change("delete_flow", "DELETE", "/{flow}", "flow:delete", "flow.deleted"),
    list_of("flow_asset", "list_flow_assets", "/{flow}/assets", "flow:read", "flow.asset_listed"),
    change(
        "upload_flow_json",
        "POST",
        "/{flow}/assets",
        "flow:update",
        "flow.updated",
        payload=Payload.FILE,
    ),
    change("publish_flow", "POST", "/{flow}/publish", "flow:publish", "flow.published"),
    change("deprecate_flow", "POST", "/{flow}/deprecate", "flow:deprecate", "flow.deprecated"),
)
