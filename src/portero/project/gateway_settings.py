"""From the installation's configuration to what one gateway process is told."""

from __future__ import annotations

from pathlib import Path

from portero.gateway.settings import Settings
from portero.project.configuration import MOST_PROCESSES, Configuration
from portero.project.postgres import SOCKET_PATH_LIMIT


def gateway_settings(configuration: Configuration, *, process: int, fd: int) -> Settings:
    """Settings of the gateway process number `process`, which serves the inherited socket `fd`."""
    listen = configuration.gateway_listen
    return Settings(
        database=configuration.dsn("gateway"),
        graph_url=configuration.graph_url,
        media_urls=tuple(f"https://{host}" for host in sorted(configuration.media_hosts)),
        public_url=configuration.public_url or listen.url,
        peppers=configuration.pepper,
        kek=configuration.kek,
        host=listen.host,
        port=listen.port,
        fd=fd,
        graph_version=configuration.graph_version,
        internal_socket=internal_socket(configuration.state, process),
        internal_secret=configuration.internal_secret,
        trusted_proxies=tuple(str(network) for network in configuration.trusted_proxies),
    )


def internal_folder(state: Path) -> Path:
    """Where gateway processes listen for our own processes, one socket each."""
    return state / "internal"


def internal_socket(state: Path, process: int) -> Path:
    """Raises ValueError when the state folder's path is too long for a socket inside it."""
    path, longest = (internal_folder(state) / f"{n}.sock" for n in (process, MOST_PROCESSES))
    if len(bytes(path)) > SOCKET_PATH_LIMIT:
        room = SOCKET_PATH_LIMIT - len(bytes(longest)) + len(bytes(state))
        raise ValueError(
            f"{state} has a path of {len(bytes(state))} bytes, too long for sockets inside it:"
            f" choose a folder with at most {room},"
            " by --data or PORTERO_STATE"
        )
    return path
