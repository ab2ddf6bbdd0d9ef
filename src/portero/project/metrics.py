"""Figures for Prometheus, read from the database and from the processes when somebody asks.

A process of its own answers, on this machine alone (O06): nothing is counted on the way of a call, and no
figure names a workspace, a person or a customer.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from portero.project.configuration import Configuration
from portero.project.listening import answers
from portero.project.logins import Login
from portero.project.programs import CONSOLE_HEALTH, GATEWAY_HEALTH, LIVE_HEALTH

PATH = "/metrics"
_TIMEOUT_S = 5


class Figures(Collector):
    """Looks anew at each scrape; what cannot be had is left out, and `portero_database_up` says why."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    @override
    def collect(self) -> Iterable[Metric]:
        yield self._processes()
        yield _one(
            "portero_disk_free_bytes",
            "Room for the state folder.",
            shutil.disk_usage(self._configuration.state).free,
        )
        found = list(self._of_the_database())
        is_up = len(found) == len(_ASKED)
        yield _one("portero_database_up", "Whether it answers every question here.", int(is_up))
        yield from found

    def _processes(self) -> Metric:
        one = self._configuration
        asked = {
            "gateway": one.gateway_listen.url + GATEWAY_HEALTH,
            "console": one.console_listen.url + CONSOLE_HEALTH,
            "live": one.live_listen.url + LIVE_HEALTH,
        }
        family = GaugeMetricFamily("portero_up", "Whether it answers.", labels=["process"])
        for name, url in asked.items():
            family.add_metric([name], int(answers(url)))
        return family

    def _of_the_database(self) -> Iterator[Metric]:
        for name, (login, help_, labels, statement) in _ASKED.items():
            try:
                rows = self._rows(login, statement)
            except (psycopg.Error, OSError):
                continue
            family = GaugeMetricFamily(name, help_, labels=labels)
            for *values, number in rows:
                family.add_metric([str(value) for value in values], number)
            yield family

    def _rows(self, login: Login, statement: str) -> list[tuple[Any, ...]]:
        dsn = self._configuration.dsn(login)
        with psycopg.connect(dsn, connect_timeout=_TIMEOUT_S) as connection:
            connection.execute(f"SET statement_timeout = '{_TIMEOUT_S}s'")
            return connection.execute(statement).fetchall()


def serve(configuration: Configuration) -> Callable[[], None]:
    """Begin to answer; returns what waits for the end."""
    registry = CollectorRegistry()
    registry.register(Figures(configuration))
    address = configuration.metrics_listen
    _server, thread = start_http_server(address.port, address.host, registry)
    return thread.join


def _one(name: str, help_: str, number: float) -> Metric:
    family = GaugeMetricFamily(name, help_)
    family.add_metric([], number)
    return family


_ASKED: Mapping[str, tuple[Login, str, list[str], str]] = {
    "portero_gateway_leases": (
        "app",
        "Gateway processes that may forward.",
        [],
        "SELECT count(*) FROM gateway_process WHERE lease_until > clock_timestamp()",
    ),
    "portero_workers": (
        "app",
        "Workers that said within half a minute that they are there.",
        [],
        "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '30 s'",
    ),
    "portero_jobs": (
        "app",
        "Jobs by state; what is done is gone.",
        ["state"],
        "SELECT state, count(job.id) FROM unnest(enum_range(NULL::procrastinate_job_status)) AS state"
        " LEFT JOIN procrastinate_jobs AS job ON job.status = state GROUP BY state",
    ),
    "portero_job_oldest_seconds": (
        "app",
        "How long the oldest job waits that is due.",
        [],
        "SELECT coalesce(extract(epoch FROM now() - min(coalesce(job.scheduled_at, event.at))), 0)::float8"
        "  FROM procrastinate_jobs AS job JOIN procrastinate_events AS event ON event.job_id = job.id"
        " WHERE job.status = 'todo' AND event.type = 'deferred' AND coalesce(job.scheduled_at, now()) <= now()",
    ),
    "portero_records_last_minute": (
        "log",
        "Calls and events of the last minute, as the log has them.",
        ["kind", "effect", "reason", "outcome"],
        "SELECT kind, effect, CASE effect WHEN 'deny' THEN reason ELSE '' END, coalesce(outcome, ''), count(*)"
        "  FROM workspace, LATERAL (SELECT kind, effect, reason, outcome FROM record"
        "        WHERE workspace_id = workspace.id AND at > now() - interval '1 min') AS recent"
        " GROUP BY 1, 2, 3, 4",
    ),
    "portero_database_connections": (
        "app",
        "Connections of Portero's logins.",
        ["login"],
        "SELECT usename, count(*) FROM pg_stat_activity WHERE usename LIKE 'portero%' GROUP BY 1",
    ),
    "portero_database_connections_most": (
        "app",
        "How many the server takes.",
        [],
        "SELECT setting::int FROM pg_settings WHERE name = 'max_connections'",
    ),
    "portero_database_bytes": (
        "app",
        "What the database takes.",
        [],
        "SELECT pg_database_size(current_database())",
    ),
}
