"""What PostgreSQL did for a page, read from EXPLAIN (ANALYZE, FORMAT JSON)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]

MOST_PASSED_OVER = 2_000
"""Rows that a page may read and not show: what no index tells apart, a few dozen for each row shown."""

_RANGES = ("Index Scan", "Index Only Scan")
# Each reads all that it is given before it hands up its first row.
_WHOLE = ("Seq Scan", "Bitmap Heap Scan", "Sort", "Incremental Sort", "Aggregate", "Hash")


def milliseconds(explained: Node) -> float:
    """Time in the database: planning, which a prepared statement saves, and execution."""
    return float(explained["Planning Time"] + explained["Execution Time"])


def faults(explained: Node, *, limits: int) -> list[str]:
    """Say in what a page's plan does more than take the first rows of some index ranges.

    Args:
        explained: the answer's one element.
        limits: how many the statement has; below each there must be an index in the page's order.
    """
    nodes = list(_below(explained["Plan"]))
    found = [
        f"{node['Node Type']} of {node.get('Relation Name', 'what comes')}"
        for node in nodes
        if node["Node Type"] in _WHOLE
    ]
    cuts = [node for node in nodes if node["Node Type"] == "Limit"]
    if len(cuts) != limits:
        found.append(f"{len(cuts)} limits, the statement has {limits}")
    found += [
        "a range without an index"
        for cut in cuts
        if not any(node["Node Type"] in _RANGES for node in _below(cut))
    ]
    passed = passed_over(explained)
    if passed > MOST_PASSED_OVER:
        found.append(f"{passed:,.0f} rows read in vain")
    return found


def passed_over(explained: Node) -> float:
    """Rows that were read, and then found not to be shown."""
    nodes = _below(explained["Plan"])
    return sum(
        float(node.get("Rows Removed by Filter", 0) * node["Actual Loops"]) for node in nodes
    )


def _below(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", ()):
        yield from _below(child)
