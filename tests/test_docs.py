"""Pages that are drawn from the code are the code's, and every link leads somewhere."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_NAMED = re.compile(r"`((?:docs|deploy|tools|requirements)/[A-Za-z0-9_./-]+)`")


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("file", ["permissions.md", "events.md", "sandbox.md", "openapi.json"])
def test_a_page_drawn_from_the_code_is_the_codes(file: str) -> None:
    name = file.partition(".")[0]
    written = (ROOT / "docs" / file).read_text()

    assert written == tool(f"write_{name}").page(), f"run tools/write_{name}.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in _LINK.findall(text):
        if "://" not in target:
            assert (page.parent / target).exists(), target
    for target in _NAMED.findall(text):
        assert (ROOT / target).exists(), target


def test_every_picture_is_shown_somewhere_and_says_which_test_takes_it() -> None:
    """`tools/pictures` takes them anew; a drawing is made by hand."""
    images = ROOT / "docs" / "images"
    taken = dict(line.split() for line in (images / "taken-from").read_text().splitlines())
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {
        name for page in pages for name in re.findall(r"images/([\w-]+)\.png", page.read_text())
    }

    assert {file.stem for file in images.glob("*.png")} == set(taken)
    assert set(taken) == shown
