"""How a command ends: exit codes, and the one sentence of what to do."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Documented in docs/commands.md; scripts may rely on them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_CONFIGURED = 3
    DATABASE_AWAY = 4
    TAKEN = 5


class Problem(Exception):
    """A command cannot do what it was asked to. The message says so, and what to do about it."""

    def __init__(self, sentence: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def first_line(error: Exception) -> str:
    """What a driver says, without its hints and positions."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
