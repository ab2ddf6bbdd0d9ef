"""`python -m portero.sandbox`: the emulator alone."""

import argparse
import sys
from pathlib import Path

from portero.sandbox.server import HOST, serve
from portero.sandbox.world import World
from portero.sandbox.worldfile import WorldError


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, say where to go, serve until interrupted."""
    parser = argparse.ArgumentParser(prog="portero.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8002, help="loopback port (default 8002)")
    parser.add_argument("--world", type=Path, help="world file (JSON); without it, a fixed world")
    options = parser.parse_args(arguments)
    try:
        world = World.from_file(options.world) if options.world else World.default()
    except (WorldError, OSError) as error:
        print(f"{options.world}: {error}", file=sys.stderr)  # noqa: T201  # a command's output
        return 2
    print(introduction(world, options.port), flush=True)  # noqa: T201  # a command's output
    serve(world, options.port)
    return 0


def introduction(world: World, port: int) -> str:
    """What a person needs to point a client here."""
    lines = [f"WhatsApp Cloud API sandbox on http://{HOST}:{port}"]
    lines += [f"  token      {token}" for token in world.tokens]
    for waba in world.wabas.values():
        lines.append(f"  account    {waba.id}  {waba.name}")
        for number in world.numbers_of(waba.id):
            lines.append(f"  number     {number.id}  {number.info['display_phone_number']}")
    lines.append(f"  app        {world.app.id}  secret {world.app.secret}")
    lines.append(f"  control    http://{HOST}:{port}/_sandbox/ledger")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
