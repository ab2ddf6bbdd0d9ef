"""What Prometheus is told is true, needs no login, and names nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from databases import Database
from e2e.installations import running_child
from gateway.house import Workspace, free_port
from portero.project.configuration import Configuration, create_secrets


@pytest.fixture
def metrics(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    state = database.cluster.state
    create_secrets(state)
    port = free_port()
    told = {
        "PORTERO_STATE": str(state),
        "PORTERO_DATABASE": database.name,
        "PORTERO_METRICS_LISTEN": f"127.0.0.1:{port}",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    configuration = Configuration.from_environment()
    workspace = Workspace(database, configuration.kek, configuration.pepper).create()
    with psycopg.connect(database.dsn("superuser")) as connection:
        connection.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('q', 't', '{}')"
        )
        for effect, reason, age in (
            ("allow", "allowed", "1 s"),
            ("deny", "rate", "2 s"),
            ("deny", "rate", "3 s"),
            ("deny", "rate", "2 min"),
        ):
            connection.execute(_A_RECORD, [workspace.id, uuid4(), age, effect, reason])
    url = f"http://127.0.0.1:{port}/metrics"
    with running_child("metrics", told, url):
        yield url


_A_RECORD = """
INSERT INTO record (workspace_id, call_id, kind, attempt, at, event, schema, actor, operation, checks,
    resources, effect, reason, policy_version, because, obligations, upstream_attempt, leaf, digest)
VALUES (%s, %s, 'intent', 1, now() - %s::interval, 'message.sent', 1, 'a', 'o', '{}', '{}', %s, %s, 1,
    '{}', '{}', 0, 'x', 'y')
"""


def figures(url: str) -> dict[tuple[str, ...], float]:
    found = {}
    for family in text_string_to_metric_families(httpx.get(url, timeout=30).text):
        for sample in family.samples:
            found[(sample.name, *(v for _, v in sorted(sample.labels.items())))] = sample.value
    return found


def test_the_figures_are_those_of_the_database_and_the_processes(metrics: str) -> None:
    found = figures(metrics)

    assert found[("portero_database_up",)] == 1
    assert found[("portero_up", "gateway")] == found[("portero_up", "console")] == 0
    assert found[("portero_workers",)] == 1
    assert (found[("portero_jobs", "todo")], found[("portero_jobs", "failed")]) == (1, 0)
    assert found[("portero_records_last_minute", "deny", "intent", "", "rate")] == 2
    assert found[("portero_records_last_minute", "allow", "intent", "", "")] == 1
    assert found[("portero_database_connections_most",)] >= 100
    assert found[("portero_database_bytes",)] > 1_000_000
    assert found[("portero_disk_free_bytes",)] > 0


def test_no_figure_names_anybody(metrics: str, database: Database) -> None:
    text = httpx.get(metrics, timeout=30).text

    with psycopg.connect(database.dsn("superuser")) as connection:
        names = [
            str(value)
            for row in connection.execute(
                "SELECT email, id::text FROM person UNION ALL SELECT name, id::text FROM workspace"
                " UNION ALL SELECT name, meta_id FROM waba"
            )
            for value in row
        ]
    assert len(names) >= 6
    assert [name for name in names if len(name) > 1 and name in text] == []


def test_o06_it_answers_on_this_machine_alone(database: Database) -> None:
    state = database.cluster.state
    create_secrets(state)
    told = {"PORTERO_STATE": str(state), "PORTERO_METRICS_LISTEN": "0.0.0.0:9464"}

    with pytest.raises(Exception, match=re.escape("PORTERO_METRICS_LISTEN: must be an address of")):
        Configuration.from_environment(told)


def test_a_database_that_is_away_is_a_figure_too(metrics: str, database: Database) -> None:
    with psycopg.connect(
        database.dsn("superuser").replace(database.name, "postgres")
    ) as connection:
        connection.autocommit = True
        connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false")
        try:
            found = figures(metrics)
        finally:
            connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true")

    assert found[("portero_database_up",)] == 0
    assert ("portero_workers",) not in found
    assert found[("portero_up", "gateway")] == 0
