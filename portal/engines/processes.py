"""The processes of a farm on one machine, under a supervisor that restarts what dies.

Turns a farm's environment into a supervisor configuration, and speaks to the
running supervisor over its socket.
"""

import hashlib
import os
import shlex
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from supervisor.xmlrpc import SupervisorTransport

# Terminals and followed logs stay open for hours; a stopping web process does not wait for them.
_LET_GO = ("--timeout-graceful-shutdown", "5")
# On a busy machine a process takes longer than the five seconds it would be given to begin to
# answer its parent, which would end it and begin another, for ever.
_LET_COME = ("--timeout-worker-healthcheck", "60")
QUEUES = "reconcile,sweep,billing,portal"
# Groups are stopped one after the other, the highest priority first: nobody loses the database
# while still at work.  Within a group all are stopped at once.
ENGINES, PRODUCT = "engines", "product"
_PRIORITIES = {ENGINES: 1, PRODUCT: 2}


@dataclass(frozen=True)
class Program:
    """One process to keep running.  `early` ones start before the database is prepared."""

    name: str
    command: list[str]
    early: bool = False
    stop_signal: str = "TERM"
    stop_wait_s: int = 20

    @property
    def group(self) -> str:
        """The programs it is stopped together with."""
        return ENGINES if self.early else PRODUCT


def programs(
    *,
    home: Path,
    address: str,
    port: int,
    sandbox_port: int | None,
    sandbox_farm: Path | None,
    web_processes: int,
) -> list[Program]:
    """The product's own processes; the database is the caller's to add."""
    python = sys.executable
    manage = [python, "manage.py"]
    celery = [python, "-m", "celery", "-A", "portal"]
    sandbox = [python, "-m", "provisioning.sandbox", "--port", str(sandbox_port)]
    listen = ["--host", address, "--port", str(port), "--workers", str(web_processes)]
    found = [
        Program("web", [python, "-m", "uvicorn", "portal.asgi:application", "--lifespan", "on",
                        "--no-access-log", *_LET_GO, *_LET_COME, *listen]),
        Program("worker", [*celery, "worker", "-Q", QUEUES, "--concurrency", "2",
                           "--without-gossip", "--without-mingle", "--loglevel", "INFO"],
                stop_wait_s=45),
        Program("beat", [*celery, "beat", "--schedule", str(home / "beat"), "--pidfile="]),
        Program("watchers", [*manage, "watch_clusters"]),
    ]  # fmt: skip
    if sandbox_port is not None:
        state = ["--state", str(home / "sandbox")]
        if sandbox_farm is not None:
            state += ["--farm", str(sandbox_farm)]
        found.insert(0, Program("sandbox", [*sandbox, *state], early=True))
    return found


def socket_path(home: Path) -> Path:
    """The supervisor's socket: short, since the kernel allows 107 characters."""
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"npu-farm-{os.getuid()}-{digest}.sock"


def write_configuration(*, home: Path, checkout: Path, found: list[Program]) -> Path:
    """Write the configuration of a supervisor that runs in `home`, and return its path."""
    (home / "log").mkdir(parents=True, exist_ok=True)
    sections = [
        f"[unix_http_server]\nfile={socket_path(home)}\nchmod=0600",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        # Relative, for the supervisor reads some paths as format strings once and some twice.
        "[supervisord]\nnodaemon=true\nsilent=true\nlogfile=log/supervisor.log\n"
        "pidfile=supervisor.pid\nchildlogdir=log\nminfds=1024\n"
        + ("user=root\n" if os.geteuid() == 0 else ""),
        *(_section(program, checkout) for program in found),
        *_groups(found),
    ]
    file = home / "supervisor.conf"
    file.write_text("\n\n".join(_escaped(section) for section in sections) + "\n")
    file.chmod(0o600)
    return file


class Supervisor:
    """The running supervisor of one farm, by its socket."""

    def __init__(self, home: Path) -> None:
        self._address = f"unix://{socket_path(home)}"

    @property
    def _rpc(self) -> Any:
        # A transport whose first call failed refuses every later one.
        transport = SupervisorTransport(None, None, self._address)
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def wait_until_up(self, *, seconds: float = 30) -> None:
        """Return once it answers; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._rpc.getState()
            except (OSError, xmlrpc.client.Error):
                if time.monotonic() > deadline:
                    raise TimeoutError("the supervisor did not come up") from None
                time.sleep(0.05)
            else:
                return

    def start(self, program: Program) -> None:
        """Start one program without waiting for it."""
        self._rpc.startProcess(f"{program.group}:{program.name}", False)

    def states(self) -> dict[str, tuple[str, int]]:
        """State name and process id of every program."""
        infos = cast("list[dict[str, Any]]", self._rpc.getAllProcessInfo())
        return {info["name"]: (info["statename"], info["pid"]) for info in infos}


def _mortal(program: Program) -> list[str]:
    # A supervisor that is killed stops nothing; the kernel does it then.
    return ["setpriv", "--pdeathsig", program.stop_signal, "--", *program.command]


def _section(program: Program, checkout: Path) -> str:
    return "\n".join(
        [
            f"[program:{program.name}]",
            f"command={shlex.join(_mortal(program))}",
            f"directory={checkout}",
            f"autostart={'true' if program.early else 'false'}",
            "autorestart=true",
            "startsecs=1",
            "startretries=1000000",
            f"stopsignal={program.stop_signal}",
            f"stopwaitsecs={program.stop_wait_s}",
            "stopasgroup=false",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile=log/{program.name}.log",
            "stdout_logfile_maxbytes=10MB",
            "stdout_logfile_backups=2",
        ]
    )


def _groups(found: list[Program]) -> Iterator[str]:
    for group, priority in _PRIORITIES.items():
        if names := [program.name for program in found if program.group == group]:
            yield f"[group:{group}]\nprograms={','.join(names)}\npriority={priority}"


def _escaped(section: str) -> str:
    return section.replace("%", "%%")
