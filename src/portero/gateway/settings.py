"""What a gateway process needs to be told; `project` reads it from the installation."""

from dataclasses import dataclass, field
from pathlib import Path

from portero.store.sealing import KeyRing, Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything is explicit: a gateway that is half configured must not start.

    Attributes:
        database: DSN of the gateway's database role.
        graph_url: where Graph calls go, scheme and host, no path.
        media_urls: other places media links of Meta may point to, scheme and host.
        public_url: how clients reach this gateway; links in answers begin with it.
        host, port, fd: where to listen; `fd`, an inherited socket that listens already, goes first.
        peppers: by version; the digest of a key names the version it was made with.
        kek: the key that wraps the workspaces' keys; lives outside the database.
        internal_socket: where `perform` listens; None for no internal listener.
        internal_secret: what a caller of the internal listener must present.
        trusted_proxies: networks whose X-Forwarded-For counts.
    """

    database: str
    graph_url: str
    media_urls: tuple[str, ...]
    public_url: str
    peppers: KeyRing
    kek: KeyRing
    host: str = "127.0.0.1"
    port: int = 0
    fd: int | None = None
    graph_version: str = "v23.0"
    internal_socket: Path | None = None
    internal_secret: Secret | None = None
    trusted_proxies: tuple[str, ...] = field(default=())
    graceful_s: float = 10.0
