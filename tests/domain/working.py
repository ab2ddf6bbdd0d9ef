"""The worker, for tests that wait for what it does."""

from __future__ import annotations

from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector


def work() -> None:
    """Do all the jobs there are whose time has come, as the worker does."""
    connector = app.connector
    assert isinstance(connector, DjangoConnector)
    with app.replace_connector(connector.get_worker_connector()) as working:
        working.run_worker(
            wait=False, listen_notify=False, install_signal_handlers=False, delete_jobs="successful"
        )
