"""A planted fault must not outlive its test in what the engine has read before."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _nothing_read_before() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("portero.engine."):
            for part in vars(module).values():
                if hasattr(part, "cache_clear"):
                    part.cache_clear()
