"""Media named inside a message: by an id of an upload, or by a link Meta would fetch."""

from urllib.parse import urlsplit

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.graph.checks import missing_member
from portero.sandbox.objects import Json
from portero.sandbox.world import World

UNREACHABLE_HOST = ".invalid"


def check_attachment(world: World, source: Json, name: str) -> None:
    """An attachment has a known `id` or an http(s) `link`. Raises `GraphError`."""
    media_id, link = source.get("id"), source.get("link")
    if media_id is None and link is None:
        raise missing_member(f"{name}['id']")
    if media_id is not None:
        if world.living_media(str(media_id)) is None:
            raise _not_media(name)
    elif _host_of(link) is None:
        message = f"(#100) Param {name}['link'] is not a valid URI."
        raise meta_error(100, message=message)


def is_unreachable(source: object) -> bool:
    """Whether Meta will fail to fetch the link: the emulator fetches nothing and goes by name."""
    link = source.get("link") if isinstance(source, dict) else None
    return (_host_of(link) or "").endswith(UNREACHABLE_HOST)


def _host_of(link: object) -> str | None:
    """The host of an http(s) address, None for anything else."""
    if not isinstance(link, str):
        return None
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None


def _not_media(name: str) -> GraphError:
    what = "is not a valid whatsapp business account media attachment ID"
    return meta_error(100, message=f"(#100) Param {name}['id'] {what}")
