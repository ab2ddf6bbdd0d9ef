"""No line of a log holds a link that lets somebody in, or takes a change back (K12).

Whoever logs a refused form, or a page that failed, names the path, and of these the path is the secret.
"""

from __future__ import annotations

import logging
import re
from typing import Any

# Up to where a path ends, however it was escaped on its way into the line.
_LINK = re.compile(r"(/(?:welcome|undo)/)[^\s?\"'<>]+")
_HIDDEN = r"\1-"


def keep_links_out() -> None:
    """Make every record without them from now on, whichever logger it is of."""
    before = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.msg = _without(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(_without(one) for one in record.args)
        return record

    logging.setLogRecordFactory(make)


def _without(said: Any) -> Any:
    return _LINK.sub(_HIDDEN, said) if isinstance(said, str) else said
