"""A whole farm, really running: web, worker, beat, watchers, sandbox, database.

Started as its users start it, with `manage.py up --demo`, in a folder of its own.  To start
one takes as long as hundreds of other tests, so one serves all who ask for `farm`: they come
one after the other (`ordering`), and it is gone when the last of them is done.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.serving import DidNotStart, Farm, free_port
from portal.engines import postgres
from portal.engines.processes import Supervisor

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
    """Where a running farm answers, who may sign in, and what its programs say."""

    address: str
    home: Path
    logins: dict[str, dict[str, str]]

    def log(self, program: str) -> str:
        """What one of its programs has written so far."""
        return (self.home / "log" / f"{program}.log").read_text(errors="replace")

    def pids(self) -> dict[str, int]:
        """Process ids by program name, as the supervisor knows them."""
        return {name: pid for name, (_, pid) in Supervisor(self.home).states().items()}


def own_environment(**extra: str) -> dict[str, str]:
    """This process's environment without what ties it to the test run's database."""
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    return {**inherited, **extra}


@contextmanager
def running_farm(home: Path, *options: str, **extra: str) -> Iterator[RunningFarm]:
    """Start a farm in `home`, hand it out, stop it and remove its data."""
    output = home / "up.log"
    try:
        farm = Farm(
            home=home,
            options=list(options),
            port=free_port(),
            environment=own_environment(**extra),
            output=output,
        )
    except DidNotStart as error:
        raise AssertionError(f"{error}:\n{output.read_text()[-4000:]}") from None
    try:
        yield RunningFarm(address=farm.address, home=home, logins=farm.logins)
    finally:
        farm.stop()
        shutil.rmtree(postgres.base_for(home), ignore_errors=True)


_serving = ExitStack()


@pytest.fixture(scope="session")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFarm]:
    """One farm with demonstration data; each test brings tenants of its own."""
    home = tmp_path_factory.mktemp("farm")
    # Several web processes for races; proof every two seconds, so that the meter is seen running.
    options = ("--web-processes", "3")
    yield _serving.enter_context(running_farm(home, *options, WITNESS_INTERVAL="2"))
    _serving.close()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Stop the farm when nobody follows who shares it."""
    if "farm" not in getattr(nextitem, "fixturenames", ()):
        _serving.close()
