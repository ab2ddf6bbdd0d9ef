"""Importing this makes Django ready, which it must be before any model is imported."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.db import connections

from portero.project.configuration import database_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portero.project.settings")
django.setup()


@contextmanager
def django_on(dsn: str) -> Iterator[None]:
    """Lead Django's default connection to a database for a while."""
    before = connections.settings["default"]
    described = connections.configure_settings({"default": database_settings(dsn)})
    _lead_to(described["default"])
    try:
        yield
    finally:
        _lead_to(before)


def _lead_to(described: dict[str, Any]) -> None:
    if hasattr(connections._connections, "default"):
        connections["default"].close()
        del connections["default"]  # made of the description before
    connections.settings["default"] = described
