"""Bring a whole farm up on one machine and keep it so until told to stop.

The order matters: the database answers before the tables are prepared, and the
tables are there before the web, the workers and the watchers look at them.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TextIO

from portal.engines import environment, ports, postgres, processes

Say = Callable[[str], None]


class AlreadyUp(Exception):
    """This farm is up in another terminal, or is still stopping."""


class DidNotStart(Exception):
    """A part of the farm did not start, or ended unasked; its log says why."""


@dataclass(frozen=True)
class Plan:
    """What to bring up: where, and with which clusters."""

    home: Path
    checkout: Path
    address: str = "127.0.0.1"
    port: int = 8000
    sandbox: bool = True
    sandbox_farm: Path | None = None
    kubeconfigs: dict[str, Path] = field(default_factory=dict)
    web_processes: int = 2
    prepare: tuple[str, ...] = ()


def run(plan: Plan, *, say: Say) -> None:
    """Serve until SIGINT or SIGTERM.  Raises `AlreadyUp`, `DidNotStart`."""
    with only_one(plan.home) as lock:
        if not ports.is_free(plan.port, address=plan.address):
            raise DidNotStart(f"port {plan.port} is taken; choose another with --port")
        values = environment.complete(plan.home)
        server = _database(plan, values, say)
        child_environment = _environment(plan)
        found = _programs(plan, values, server)
        file = processes.write_configuration(home=plan.home, checkout=plan.checkout, found=found)
        # The sandbox writes it when it serves; the last run's would be believed too early.
        (plan.home / "sandbox" / "ready").unlink(missing_ok=True)
        command = ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m"]
        supervisord = subprocess.Popen(
            [*command, "supervisor.supervisord", "-c", str(file)],
            cwd=plan.home,
            env={**os.environ, **child_environment},
            # Held until it has ended too: killed, this process leaves it stopping its programs.
            stdin=lock,
            start_new_session=True,
        )
        try:
            with _stopped_by_signal(supervisord):
                _bring_up(plan, server, child_environment, found, supervisord, say)
                ended = supervisord.wait()
                # Told to stop, we do not come here.
                raise DidNotStart(f"the supervisor ended with {ended}; see log/supervisor.log")
        finally:
            (plan.home / "up.json").unlink(missing_ok=True)


def _bring_up(
    plan: Plan,
    server: postgres.Server | None,
    child_environment: dict[str, str],
    found: list[processes.Program],
    supervisord: "subprocess.Popen[bytes]",
    say: Say,
) -> None:
    supervisor = processes.Supervisor(plan.home)
    supervisor.wait_until_up()
    if server is not None:
        say("database: starting the embedded PostgreSQL")
        postgres.wait_until_up(server)
        _create_roles(plan.home, server)
    # One process for all of it: to load the product takes longer than most of the steps.
    _manage(plan, child_environment, "prepare", *plan.prepare, *_cluster_options(plan))
    for program in found:
        if not program.early:
            say(f"{program.name}: starting")
            supervisor.start(program)
    url = f"http://{plan.address}:{plan.port}"
    _wait_for_web(url, supervisor, supervisord)
    (plan.home / "up.json").write_text(json.dumps({"address": url, "pid": os.getpid()}))
    say(f"NPU Farm serves at {url}")


def _programs(
    plan: Plan, values: dict[str, str], server: postgres.Server | None
) -> list[processes.Program]:
    found = processes.programs(
        home=plan.home,
        address=plan.address,
        port=plan.port,
        sandbox_port=int(values["SANDBOX_PORT"]) if plan.sandbox else None,
        sandbox_farm=plan.sandbox_farm,
        web_processes=plan.web_processes,
    )
    if server is not None:
        # INT is PostgreSQL's fast shutdown; TERM would wait for every client.
        command = server.command(die_with_parent=True)
        program = processes.Program("postgres", command, early=True, stop_signal="INT")
        found.insert(0, program)
    return found


def _database(plan: Plan, values: dict[str, str], say: Say) -> postgres.Server | None:
    if not environment.uses_embedded_database():
        return None
    place = postgres.base_for(plan.home)
    if left := postgres.claim(place, farm_id=values["FARM_ID"]):
        say(f"database: the data of an earlier farm were put aside in {left}")
    server = postgres.Server(
        data=place / "data",
        port=int(values["POSTGRES_PORT"]),
        password=values["POSTGRES_PASSWORD"],
    )
    postgres.initialise(data=server.data, password=server.password)
    return server


def _create_roles(home: Path, server: postgres.Server) -> None:
    values = environment.load(home)
    application, owner = postgres.create_farm(
        server,
        database="farm",
        owner_password=values["POSTGRES_OWNER_PASSWORD"],
        app_password=values["POSTGRES_APP_PASSWORD"],
    )
    environment.save(home, {**values, "DATABASE_URL": application, "DATABASE_OWNER_URL": owner})


def _environment(plan: Plan) -> dict[str, str]:
    for folder in ("broker/queue", "broker/control"):
        (plan.home / folder).mkdir(parents=True, exist_ok=True)
    return {
        "FARM_HOME": str(plan.home),
        "FARM_ADDRESS": f"http://{plan.address}:{plan.port}",
        "DJANGO_SETTINGS_MODULE": "portal.settings.base",
        "PYTHONUNBUFFERED": "1",
    }


def _cluster_options(plan: Plan) -> list[str]:
    given = dict(plan.kubeconfigs)
    if plan.sandbox:
        ready = plan.home / "sandbox" / "ready"
        _wait_for(ready.exists, "the sandbox did not start")
        given |= {file.stem: file for file in sorted(ready.parent.glob("*.kubeconfig"))}
    return [word for name, file in given.items() for word in ("--cluster", f"{name}={file}")]


def _manage(plan: Plan, child_environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=plan.checkout,
        env={**os.environ, **child_environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise DidNotStart(f"`manage.py {arguments[0]}` ended with {done.returncode}")


def _wait_for_web(
    url: str, supervisor: processes.Supervisor, supervisord: "subprocess.Popen[bytes]"
) -> None:
    def answers() -> bool:
        if supervisord.poll() is not None:
            raise DidNotStart("the supervisor ended")
        try:
            with urllib.request.urlopen(f"{url}/healthz/ready", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    try:
        _wait_for(answers, "the web process did not answer")
    except DidNotStart as error:
        raise DidNotStart(f"{error}; states: {supervisor.states()}") from None


def _wait_for(condition: Callable[[], bool], otherwise: str, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DidNotStart(otherwise)
        time.sleep(0.1)


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[TextIO]:
    """Hold the farm's lock: who has it may start its parts.  Raises `AlreadyUp`."""
    # Logs hold what mails say while they go to the console, links for new passwords among it.
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyUp from None
        yield lock


@contextlib.contextmanager
def _stopped_by_signal(supervisord: "subprocess.Popen[bytes]") -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number in previous:
            signal.signal(number, signal.SIG_IGN)
        supervisord.terminate()
        supervisord.wait()
        for number, handler in previous.items():
            signal.signal(number, handler)
