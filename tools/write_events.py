"""Write docs/events.md: every event a record can carry, and the operations or services behind it."""

import re
from pathlib import Path

from portero.graphapi.operations import OPERATIONS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "events.md"
HEAD = """# Events

What a record's `event` says: a noun and a past verb. A refused request carries the event that did not happen, with `effect` deny.
Written by `tools/write_events.py` from the table of operations and the code; a test compares the two.
"""
_SAID = re.compile(r'event="([a-z_]+\.[a-z_]+)"')


def of_operations() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for operation in OPERATIONS:
        if operation.risk != "never":
            found.setdefault(operation.event, []).append(
                f"`{operation.method} {operation.template}`"
            )
    return found


def of_code() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for folder in ("domain", "gateway", "store"):
        for file in sorted((ROOT / "src" / "portero" / folder).rglob("*.py")):
            for event in _SAID.findall(file.read_text()):
                place = file.relative_to(ROOT / "src" / "portero").as_posix()
                if f"`{place}`" not in found.setdefault(event, []):
                    found[event].append(f"`{place}`")
    return found


def table(title: str, column: str, events: dict[str, list[str]]) -> str:
    rows = [f"| `{event}` | {', '.join(events[event])} |" for event in sorted(events)]
    return "\n".join([f"\n## {title}\n", f"| event | {column} |", "| --- | --- |", *rows])


def page() -> str:
    graph = table("Calls of the Graph API", "operations", of_operations())
    ours = table("Ours", "said in", of_code())
    return f"{HEAD}{graph}\n{ours}\n"


if __name__ == "__main__":
    PAGE.write_text(page())
