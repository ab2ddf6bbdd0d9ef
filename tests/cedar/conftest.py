"""A planted fault must not outlive its test in what the engine has read before."""

import pytest

from portero.engine import networks


@pytest.fixture(autouse=True)
def _nothing_read_before() -> None:
    networks.parse_address.cache_clear()
