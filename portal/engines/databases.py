"""The farm's database for a command that needs nothing else of the farm.

Given from outside it is there; the embedded one is used as it runs, or started for as long
as the command takes.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from portal.engines import environment, farm, ports, postgres

_OTHERS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'npu-farm'
"""


@contextlib.contextmanager
def owner_url(home: Path, *, alone: bool = False) -> Iterator[str]:
    """Give the owner's address of the database; `alone` while nothing of the farm is connected.

    Raises `AlreadyUp`, `DidNotStart`.
    """
    if not environment.uses_embedded_database():
        url = os.environ.get("DATABASE_OWNER_URL", "")
        if not url:
            raise farm.DidNotStart("DATABASE_OWNER_URL is not set")
        if alone:
            _require_nobody(url)
        yield url
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(farm.only_one(home))
        except farm.AlreadyUp:
            if alone:
                raise
        else:
            stack.enter_context(_running(home))
        yield environment.load(home)["DATABASE_OWNER_URL"]


def _require_nobody(url: str) -> None:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(_OTHERS)
        (others,) = cursor.fetchone() or (0,)
        if others:
            raise farm.AlreadyUp(f"{others} processes of the farm are connected; stop them first.")


@contextlib.contextmanager
def _running(home: Path) -> Iterator[None]:
    values = environment.load(home)
    if "DATABASE_OWNER_URL" not in values:
        raise farm.DidNotStart(f"there is no farm in {home}")
    port = int(values["POSTGRES_PORT"])
    if not ports.is_free(port):
        raise farm.DidNotStart(f"port {port} of the embedded database is taken")
    server = postgres.Server(
        data=postgres.base_for(home) / "data", port=port, password=values["POSTGRES_PASSWORD"]
    )
    process = subprocess.Popen(
        server.command(die_with_parent=True),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        postgres.wait_until_up(server)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
