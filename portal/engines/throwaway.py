"""A database server that lives as long as the process that asked for it.

For test runs and benches: they start from an empty farm database and leave nothing behind.
"""

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

from portal.engines import ports, postgres

_OF = "THROWAWAY_OF"


def start(**settings: str) -> dict[str, str]:
    """Start a server with an empty farm database; returns the environment that points at it."""
    home = Path(tempfile.mkdtemp(prefix="npu-farm-test-"))
    place = postgres.base_for(home)
    server = postgres.Server(
        data=place / "data", port=ports.free_port(), password=secrets.token_hex(16)
    )
    place.mkdir(parents=True, exist_ok=True)
    postgres.initialise(data=server.data, password=server.password)
    with (home / "postgres.log").open("wb") as log:
        process = subprocess.Popen(
            server.command(die_with_parent=True, **settings),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    owner_pid = os.getpid()

    def stop() -> None:
        if os.getpid() != owner_pid:
            return
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(stop)
    postgres.wait_until_up(server)
    application, owner = postgres.create_farm(
        server,
        database="farm",
        owner_password=secrets.token_hex(16),
        app_password=secrets.token_hex(16),
    )
    _let_owner_empty_tables(server)
    return {
        _OF: _test_process(),
        "FARM_HOME": str(home),
        "DATABASE_URL": application,
        "DATABASE_OWNER_URL": owner,
        "SECRET_KEY": secrets.token_urlsafe(32),
        "FARM_ENCRYPTION_KEY": Fernet.generate_key().decode(),
    }


def _let_owner_empty_tables(server: postgres.Server) -> None:
    """Where triggers sleep, guards and foreign keys do: here alone, and for the owner alone."""
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("GRANT SET ON PARAMETER session_replication_role TO farm_owner")


def is_anothers() -> bool:
    """Whether the server we were told of is that of the process which began us."""
    return os.environ.get(_OF, _test_process()) != _test_process()


def _test_process() -> str:
    """Its name among the processes of one test run, as pytest-xdist has it."""
    return os.environ.get("PYTEST_XDIST_WORKER", "")
