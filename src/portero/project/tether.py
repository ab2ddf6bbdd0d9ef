"""Ties a child process to its parent: when the parent is gone, however it went, the child stops."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.5


def die_with(parent: int) -> None:
    """Get SIGTERM as soon as `parent`, the pid that started this process, no longer exists.

    Raises SystemExit when it is gone already.
    """
    if sys.platform == "linux":
        # The kernel watches; it means the *thread* that forked, which is the supervisor's main one.
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        raise SystemExit(f"the process {parent} that started this one is gone")


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)
