"""What the apps with codes of the demo's people show, for who has no such app at hand.

The secrets stand in the demo's own file. No installation with real people has a way to them.
"""

from __future__ import annotations

import base64
import hmac
import json
import struct
import time
from pathlib import Path

from portero.project.cli.problems import Problem
from portero.project.demo.world import DEMO_FILE

_STEP_S = 30
_DIGITS = 6


def code_of(data: Path, name: str) -> str:
    """The six digits of a person of the demo, now (RFC 6238). Raises Problem."""
    file = data / DEMO_FILE
    if not file.exists():
        raise Problem(f"{file} is not there: start `portero demo` first")
    people = json.loads(file.read_text())["people"]
    secrets = {one["name"].lower(): one["totp_secret"] for one in people}
    if name.lower() not in secrets:
        raise Problem(f"nobody here is called {name}: {', '.join(one['name'] for one in people)}")
    return code_at(secrets[name.lower()], time.time())


def code_at(secret: str, now: float) -> str:
    """What an app with codes shows at a moment, in epoch seconds; the secret is in base 32."""
    counter = struct.pack(">Q", int(now) // _STEP_S)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    at = digest[-1] & 0xF
    number: int = struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}}"
