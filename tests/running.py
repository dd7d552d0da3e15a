"""A whole farm, really running: web, worker, beat, watcher, sandbox, database.

Started as its users start it, with `manage.py up --demo`, in a folder of its own.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal.engines import postgres

CHECKOUT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 180
# The test run's own database and secrets are not this farm's.
_NOT_INHERITED = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "SECRET_KEY",
    "FARM_ENCRYPTION_KEY",
    "FARM_HOME",
    "DJANGO_SETTINGS_MODULE",
)


@dataclass(frozen=True)
class RunningFarm:
    """Where a running farm answers, who may sign in, and its process."""

    address: str
    home: Path
    logins: dict[str, dict[str, str]]
    process: "subprocess.Popen[bytes]"

    def log(self, program: str) -> str:
        """What one of its programs has written so far."""
        return (self.home / "log" / f"{program}.log").read_text(errors="replace")

    def pids(self) -> dict[str, int]:
        """Process ids by program name, as the supervisor knows them."""
        from portal.engines.processes import Supervisor

        return {name: pid for name, (_, pid) in Supervisor(self.home).states().items()}


def environment(home: Path, **extra: str) -> dict[str, str]:
    """The environment of a farm kept in `home`."""
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    return {**inherited, "FARM_HOME": str(home), **extra}


@contextmanager
def running_farm(home: Path, *options: str, **extra: str) -> Iterator[RunningFarm]:
    """Start a farm in `home`, hand it out, stop it and remove its data."""
    command = [sys.executable, "manage.py", "up", "--demo", "--port", str(postgres.free_port())]
    output = home / "up.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*command, *options],
            cwd=CHECKOUT,
            env=environment(home, **extra),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_up(home, process, output)
        yield RunningFarm(
            address=json.loads((home / "up.json").read_text())["address"],
            home=home,
            logins=json.loads((home / "demo.json").read_text()),
            process=process,
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)
        shutil.rmtree(postgres.base_for(home), ignore_errors=True)


def _wait_until_up(home: Path, process: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (home / "up.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the farm did not start:\n{output.read_text()[-4000:]}")
        time.sleep(0.1)
