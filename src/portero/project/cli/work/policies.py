"""What `portero policy` writes."""

from __future__ import annotations

import json
from uuid import UUID

from portero.project import cedar
from portero.project.cli.work.directory import directory


def cedar_documents(workspace: UUID) -> dict[str, str]:
    """The policy in force, by the names of the files it fills."""
    export = cedar.export(directory(workspace).state.policy)
    entities = json.dumps(export.entities, ensure_ascii=False, indent=2)
    return {
        "policy.cedar": export.policies,
        "schema.cedarschema": export.schema,
        "entities.json": entities + "\n",
    }
