"""Makes and revokes keys by the services: `python -m portero.project.bench.keymaster`.

A process of its own, as a console is one. It reads `[workspace, owner, account]` and then one command
a line, and answers with one line of JSON each.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

import django


def main() -> None:
    """Obey until stdin ends."""
    django.setup()
    from portero.domain.access.authorize import Actor
    from portero.domain.accounts import services as accounts

    workspace, owner, account = map(UUID, json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        command, argument = json.loads(line)
        actor = Actor(workspace, owner, datetime.now(UTC))
        if command == "make":
            made = [
                accounts.create_key(actor=actor, service_account=account, name=f"Bench {uuid4()}")
                for _ in range(argument)
            ]
            answer: object = [[str(key.id), key.text.reveal().decode()] for key in made]
        else:
            began = time.monotonic()
            accounts.revoke_key(actor=actor, key=UUID(argument))
            returned = time.monotonic()
            answer = [began, returned]
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
