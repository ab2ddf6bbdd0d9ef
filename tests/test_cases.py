"""Every case that a test carries in its name is told, and every case that is told has a test."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security" / "cases.md").read_text()
_NAME = re.compile(r"def test_([a-z][0-9]+(?:_[0-9]+)?)_(?=[a-z])")
_ROW = re.compile(r"^\| ([A-Z][0-9]+(?:\.[0-9]+)?) \|", re.MULTILINE)


def carried() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for file in (ROOT / "tests").rglob("test_*.py"):
        for name in _NAME.findall(file.read_text()):
            place = file.relative_to(ROOT).as_posix()
            found.setdefault(name.upper().replace("_", "."), set()).add(place)
    return found


def test_every_case_in_a_test_name_is_told_and_every_case_told_is_tested() -> None:
    told = _ROW.findall(PAGE)

    assert len(told) == len(set(told))
    assert set(told) == set(carried())


def test_each_row_names_the_files_of_its_tests() -> None:
    for case, files in carried().items():
        [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {case} |")]
        assert set(re.findall(r"`(tests/[a-z0-9_/]+\.py)`", row)) == files, case
