"""The workspace of a transaction: set once, first, and for all its statements.

Two walls keep workspaces apart. The manager here adds the workspace to every query and refuses to
build one outside of `in_workspace`; row-level security in the database checks it again. Each wall
holds alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self, TypeVar
from uuid import UUID

from django.db import connection, models, transaction
from typing_extensions import override

_current: ContextVar[UUID | None] = ContextVar("portero_workspace", default=None)


class WorkspaceMissing(Exception):
    """A query of a workspace's rows outside of `in_workspace`."""

    code = "workspace_missing"


class WorkspaceChanged(Exception):
    """A transaction of one workspace tried to become one of another."""

    code = "workspace_changed"


def current_workspace() -> UUID:
    workspace = _current.get()
    if workspace is None:
        raise WorkspaceMissing
    return workspace


@contextmanager
def in_workspace(workspace: UUID) -> Iterator[None]:
    """Run a block as one transaction of a workspace; inside another of the same, as a savepoint.

    Raises WorkspaceChanged inside a transaction of another workspace: the setting of a nested
    block would outlive it.
    """
    around = _current.get()
    if around is not None:
        if around != workspace:
            raise WorkspaceChanged
        with transaction.atomic():
            yield
        return
    # Durable: inside a foreign transaction the setting would stay until *that* one ends.
    with transaction.atomic(durable=True), _as_current(workspace):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('portero.workspace', %s, true)", [str(workspace)])
        yield


@contextmanager
def _as_current(workspace: UUID) -> Iterator[None]:
    token = _current.set(workspace)
    try:
        yield
    finally:
        _current.reset(token)


_Row = TypeVar("_Row", bound=models.Model, covariant=True)


class WorkspaceManager(models.Manager[_Row]):
    """Sees the rows of the current workspace and no others."""

    @override
    def get_queryset(self) -> models.QuerySet[_Row]:
        return super().get_queryset().filter(workspace_id=current_workspace())


class WorkspaceModel(models.Model):
    """A row of one workspace. Its key, and every reference from it, begins with the workspace."""

    workspace_id = models.UUIDField(default=current_workspace)

    objects = WorkspaceManager[Self]()

    class Meta:
        abstract = True

    @override
    def __str__(self) -> str:
        return f"{type(self).__name__} {self.pk}"
