"""Questions about the workspace's things: who may do what to them, and why."""

from portero.domain.workspaces.queries.own_roles import OwnRole, names_of_things, own_roles
from portero.domain.workspaces.queries.things import (
    Choices,
    SeenNumber,
    Thing,
    Whose,
    checks_of,
    choices,
    numbers_called,
)
from portero.domain.workspaces.queries.who import Able, Ways, WhoPage, who
from portero.domain.workspaces.queries.why import (
    Account,
    Asked,
    Circumstances,
    Standing,
    Watching,
    account,
    answers_for,
    own_askers,
    why,
)

__all__ = [
    "Able",
    "Account",
    "Asked",
    "Choices",
    "Circumstances",
    "OwnRole",
    "SeenNumber",
    "Standing",
    "Thing",
    "Watching",
    "Ways",
    "WhoPage",
    "Whose",
    "account",
    "answers_for",
    "checks_of",
    "choices",
    "names_of_things",
    "numbers_called",
    "own_askers",
    "own_roles",
    "who",
    "why",
]
