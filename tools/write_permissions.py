"""Write docs/permissions.md from the engine's one declaration of every permission."""

from pathlib import Path

from portero.engine import PERMISSIONS, PermissionSpec

PAGE = Path(__file__).parent.parent / "docs" / "permissions.md"
HEAD = """# Permissions

One thing that can be done each, `resource:action`, with the sentence people read. A permission exists because a door enforces it.
Written by `tools/write_permissions.py` from `engine/catalogue.py`; a test compares the two.

*Risk* says how careful to be in giving it. *Personal* marks what shows or uses customers' data. *Owned* marks what knows the reaches
own, queue, team and all; everything else knows none and all. *Where* says to which places it can be narrowed: a role given at any
other place gives nothing of it there, because no request for it has such a place.
"""
WORDS = {
    "wabas": "account",
    "numbers": "number",
    "template_sets": "template set",
    "countries": "country",
    "teams": "team",
}


def row(one: PermissionSpec) -> str:
    personal, owned = ("yes" if flag else "" for flag in (one.personal, one.ownable))
    where = ", ".join(word for name, word in WORDS.items() if name in one.places)
    if one.places > WORDS.keys():
        where = "everywhere"
    return (
        f"| `{one.key}` | {one.sentence} | {one.risk} | {personal} | {owned} | {where} |"
        f" {one.example} |"
    )


def page() -> str:
    groups: dict[str, list[PermissionSpec]] = {}
    for one in PERMISSIONS.values():
        groups.setdefault(one.group, []).append(one)
    parts = [HEAD]
    for group, members in groups.items():
        parts.append(f"\n## {group}\n")
        parts.append(
            "| permission | what it lets one do | risk | personal | owned | where | example |"
        )
        parts.append("| --- | --- | --- | --- | --- | --- | --- |")
        parts += map(row, members)
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
