"""A real PostgreSQL from a wheel, for one machine.

Turns a folder into a running server with the farm's two roles; `processes` keeps
it running.  The server refuses root, so under root it runs as an unprivileged
user, with programs and data where that user can reach them.
"""

import contextlib
import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pg0
import psycopg2
from psycopg2 import sql

from portal.engines import ports

UNPRIVILEGED_USER = os.environ.get("FARM_POSTGRES_USER", "nobody")
ROOT_BASE = Path("/var/lib/npu-farm")
START_TIMEOUT_S = 60
GRANTS = Path(__file__).with_name("grants.sql")

# `-c fsync=on` is said aloud: the wheel's own launcher switches it off.
SERVER_SETTINGS = {
    "fsync": "on",
    "listen_addresses": "127.0.0.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "jit": "off",
    "password_encryption": "scram-sha-256",
}


@dataclass(frozen=True)
class Server:
    """Where one embedded server keeps its data, and how to reach it."""

    data: Path
    port: int
    password: str

    def connect(self, *, database: str = "postgres") -> "psycopg2.extensions.connection":
        """Open a connection as the superuser.

        Raises `psycopg2.OperationalError` while the server is not up.
        """
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.password,
            dbname=database,
            connect_timeout=2,
        )
        connection.autocommit = True
        return connection

    def command(self, *, die_with_parent: bool = False, **settings: str) -> list[str]:
        """The command that runs the server in the foreground.

        With `die_with_parent` the kernel stops it when its parent is gone, killed ones included.
        """
        merged = {**SERVER_SETTINGS, "unix_socket_directories": str(self.data), **settings}
        options = [part for name, value in merged.items() for part in ("-c", f"{name}={value}")]
        arguments = ["-D", str(self.data), "-p", str(self.port), *options]
        mortal = ["setpriv", "--pdeathsig", "INT", "--"] if die_with_parent else []
        # After the change of user, which would clear the signal.
        return [*_as_server_user(), *mortal, *program("postgres"), *arguments]


def base_for(home: Path) -> Path:
    """The folder for the data of the farm kept in `home`."""
    if os.geteuid() != 0:
        return home / "postgres"
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return ROOT_BASE / digest


def claim(place: Path, *, farm_id: str) -> Path | None:
    """Make `place` this farm's; returns where the data of an earlier farm was put aside, if any.

    Under root the data lie outside the state folder and outlive its removal, but not its secrets.
    """
    place.mkdir(parents=True, exist_ok=True)
    mark = place / "farm-id"
    left = None
    if (place / "data").exists() and (not mark.exists() or mark.read_text() != farm_id):
        left = place.with_name(f"{place.name}-left-{secrets.token_hex(4)}")
        place.rename(left)
        place.mkdir()
    mark.write_text(farm_id)
    return left


def programs() -> Path:
    """The folder of the server's programs, unpacked from the wheel on first use."""
    if os.geteuid() == 0:
        place = ROOT_BASE / "programs"
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        place = Path(cache) / "npu-farm"
    found = sorted((place / ".pg0" / "installation").glob("*/bin"))
    return found[-1] if found else _unpack(place)


def initialise(*, data: Path, password: str) -> None:
    """Create an empty server in `data` unless one is there."""
    if (data / "PG_VERSION").exists():
        return
    _own(data)
    password_file = data.parent / f".{data.name}-{secrets.token_hex(4)}"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    _give(password_file)
    try:
        subprocess.run(
            [
                *_as_server_user(),
                *(*program("initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8"),
                *("--locale=C.UTF-8", "--auth=scram-sha-256", "--no-instructions"),
                f"--pwfile={password_file}",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=data,
        )
    finally:
        password_file.unlink()


def wait_until_up(server: Server) -> None:
    """Return once the server answers; raises TimeoutError after a minute."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            server.connect().close()
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL did not answer on port {server.port}") from None
            time.sleep(0.05)
        else:
            return


def create_farm(
    server: Server, *, database: str, owner_password: str, app_password: str
) -> tuple[str, str]:
    """Create roles and database where missing; returns the URLs (application, owner).

    A database from elsewhere gets the same: two roles, then `grants.sql` as a superuser.
    """
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        for role, password in (("farm_owner", owner_password), ("farm_app", app_password)):
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            verb = "ALTER" if cursor.fetchone() else "CREATE"
            statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}")
            cursor.execute(statement.format(sql.Identifier(role), sql.Literal(password)))
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        if not cursor.fetchone():
            statement = sql.SQL("CREATE DATABASE {} OWNER farm_owner")
            cursor.execute(statement.format(sql.Identifier(database)))
    with contextlib.closing(server.connect(database=database)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(GRANTS.read_text())
    address = f"127.0.0.1:{server.port}/{database}"
    return (
        f"postgres://farm_app:{app_password}@{address}",
        f"postgres://farm_owner:{owner_password}@{address}",
    )


def _unpack(place: Path) -> Path:
    _own(place)
    launcher = place / "pg0"
    shutil.copy2(Path(pg0.__file__).parent / "bin" / "pg0", launcher)
    launcher.chmod(0o755)
    options = [
        "--name",
        "unpack",
        "--port",
        str(ports.free_port()),
        "--password",
        secrets.token_hex(8),
    ]
    environment = {**os.environ, "HOME": str(place)}
    for arguments in (["start", *options], ["drop", "--name", "unpack", "--force"]):
        subprocess.run(
            [*_as_server_user(), str(launcher), *arguments],
            check=True,
            env=environment,
            cwd=place,
            stdout=subprocess.DEVNULL,
        )
    return sorted((place / ".pg0" / "installation").glob("*/bin"))[-1]


def program(name: str) -> list[str]:
    """The command that runs one of the server's programs."""
    # The programs find their own libraries only when told where these are.
    folder = programs()
    return ["env", f"LD_LIBRARY_PATH={folder.parent / 'lib'}", str(folder / name)]


def _as_server_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(UNPRIVILEGED_USER)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


def _own(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        ROOT_BASE.chmod(0o755)
    _give(folder)
    folder.chmod(0o700)


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        os.chown(path, user.pw_uid, user.pw_gid)
