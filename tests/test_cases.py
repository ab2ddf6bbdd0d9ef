"""Every case that a test carries in its name is told, and every case that is told has a test."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security" / "cases.md").read_text()
# A name may carry several: test_b7_4_t03_a_transaction_… is of B7.4 and of T03.
_NAME = re.compile(r"def test_((?:[a-z][0-9]+(?:_[0-9]+)?_)+)")
_CASE = re.compile(r"([a-z][0-9]+(?:_[0-9]+)?)_")
_ROW = re.compile(r"^\| ([A-Z][0-9]+(?:\.[0-9]+)?) \|.*$", re.MULTILINE)
_FILE = re.compile(r"`(tests/[a-z0-9_/]+\.py)`")
_TEST = re.compile(r"`(test_\w+)`")


def carried() -> dict[str, set[str]]:
    """The ids in the names of all tests, as the page writes them, and the files they are in."""
    found: dict[str, set[str]] = {}
    for file in (ROOT / "tests").rglob("test_*.py"):
        for ids in _NAME.findall(file.read_text()):
            for case in _CASE.findall(ids):
                place = file.relative_to(ROOT).as_posix()
                found.setdefault(case.upper().replace("_", "."), set()).add(place)
    return found


def rows() -> dict[str, str]:
    return {row.group(1): row.group(0) for row in _ROW.finditer(PAGE)}


def test_a_case_is_told_once() -> None:
    told = _ROW.findall(PAGE)

    assert len(told) == len(set(told))


def test_every_case_in_a_test_name_is_told() -> None:
    assert carried().keys() - rows().keys() == set()


def test_every_case_that_is_told_is_tested() -> None:
    untested = {case for case, row in rows().items() if not _FILE.findall(row)}

    assert untested == set()
    # Promises are wider than one name: they are told by their files alone.
    assert {case for case in rows().keys() - carried().keys() if not case.startswith("P")} == set()


def test_each_row_names_the_files_of_its_tests() -> None:
    for case, files in carried().items():
        assert files == set(_FILE.findall(rows()[case])), case


def test_every_file_the_page_names_exists() -> None:
    named = set(_FILE.findall(PAGE))

    assert {file for file in named if not (ROOT / file).is_file()} == set()


def test_every_control_the_page_names_is_in_a_file_of_its_row() -> None:
    for case, row in rows().items():
        written = "".join((ROOT / file).read_text() for file in _FILE.findall(row))
        for control in _TEST.findall(row):
            assert f"def {control}(" in written, f"{case}: {control}"
