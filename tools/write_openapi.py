"""Write docs/openapi.json from the table of operations: one line for each path."""

import json
from pathlib import Path

from portero.graphapi.description import openapi
from portero.graphapi.operations import OPERATIONS

PAGE = Path(__file__).parent.parent / "docs" / "openapi.json"


def page() -> str:
    made = openapi(OPERATIONS, title="Portero's gateway: the Graph API as far as it is offered")
    paths = made.pop("paths")
    head = json.dumps(made)[:-1]
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(path)}" for name, path in paths.items())
    return f'{head},\n"paths": {{\n{lines}\n}}}}\n'


if __name__ == "__main__":
    PAGE.write_text(page())
