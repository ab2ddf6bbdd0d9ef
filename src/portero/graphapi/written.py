"""The package's JSON data: shapes, nodes and operations as they are written down."""

import json
from collections.abc import Mapping
from importlib.resources import files

from portero.graphapi.notation import Notation


def load(name: str) -> Mapping[str, Mapping[str, object]]:
    """A data file of this package, by its name."""
    text = (files("portero.graphapi") / "data" / name).read_text(encoding="utf-8")
    loaded: dict[str, dict[str, object]] = json.loads(text)
    return loaded


NOTATION = Notation(load("shapes.json"))

META = load("meta.json")
"""Every operation of Meta's OpenAPI file: `paths`, `params`, `body`, `answer`."""
