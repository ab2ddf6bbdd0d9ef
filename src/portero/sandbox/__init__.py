"""An emulator of Meta's WhatsApp Cloud API: calls, errors, limits and webhooks, without Meta.

It shares the facts of `portero.graphapi` (error texts) and no line of the gateway, so that the two
can be tested against each other.
"""

from portero.sandbox.app import create_app
from portero.sandbox.server import serve
from portero.sandbox.world import World
from portero.sandbox.worldfile import WorldError

__all__ = ["World", "WorldError", "create_app", "serve"]
