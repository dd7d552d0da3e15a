"""Containers that are local processes: real logs, real commands, real ports on loopback.

Only for the images of `workloads/images.py`.  Each has a folder and an address of its own
(`scratch.py`) and a process 1 that ends with the sandbox (`workloads/launch.py`).
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from provisioning.sandbox import quantities
from provisioning.sandbox.containers import launching, variables
from provisioning.sandbox.containers.launching import Order, Program
from provisioning.sandbox.containers.logbooks import LogBook
from provisioning.sandbox.containers.process_sessions import ProcessSession
from provisioning.sandbox.containers.runtime import Connection, Exit, Launch, LogLine, OnExit
from provisioning.sandbox.containers.scratch import LIMIT, Scratch
from provisioning.sandbox.containers.sessions import STDERR, STDOUT, CannotExecute, Session
from provisioning.sandbox.containers.shells import NOT_FOUND, NOTHING
from provisioning.sandbox.containers.simulated import CANNOT_START, START_ERROR, reason_for
from provisioning.sandbox.objects import name_of
from provisioning.sandbox.timers import Timer, Timers
from provisioning.sandbox.times import Clock
from provisioning.sandbox.workloads import images

_UNKNOWN = 255


@dataclass
class _Running:
    launch: Launch
    on_exit: OnExit
    log: LogBook = field(default_factory=LogBook)
    program: Program | None = None
    order: Order | None = None
    exit: Exit | None = None
    # How the sandbox itself wants its end to be told: a code and a reason.
    verdict: tuple[int, str] | None = None
    killer: Timer | None = None
    pipes: dict[int, int] = field(default_factory=dict)
    sessions: list[ProcessSession] = field(default_factory=list)


class ProcessRuntime:
    """Runs containers of one node as processes of this machine."""

    def __init__(self, *, scratch: Scratch, clock: Clock, timers: Timers) -> None:
        self._scratch = scratch
        self._clock = clock
        self._timers = timers
        self._containers: dict[str, _Running] = {}

    def start(self, launch: Launch, on_exit: OnExit) -> None:
        """Begin a container, or fail to."""
        running = self._containers[launch.container_id] = _Running(launch, on_exit)
        if self._scratch.running >= LIMIT:
            self._fail(running, f"the sandbox runs {LIMIT} processes and no more")
            return
        order = running.order = self._order(launch)
        if _found(order) is None:
            self._fail(running, START_ERROR.format(program=order.command[0]))
            return
        self._scratch.running += 1
        self._run(running, order)

    def adopt(self, launch: Launch, on_exit: OnExit, *, exit_: Exit | None) -> None:
        """A process does not outlive the sandbox: what ran before is over, nobody knows how."""
        lost = Exit(_UNKNOWN, self._clock.now(), "Unknown")
        self._containers[launch.container_id] = _Running(launch, on_exit, exit=exit_ or lost)
        if exit_ is None:
            self._timers.soon(lambda: on_exit(launch.container_id))

    def _order(self, launch: Launch) -> Order:
        folder = self._scratch.lay_out(launch.pod, launch.container, launch.given.files)
        image = images.COMMANDS[str(launch.container.get("image"))]
        environment = {
            "PATH": f"{folder}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOSTNAME": name_of(launch.pod),
            "HOME": str(folder),
            "SANDBOX_POD_ADDRESS": self._scratch.address_of(launch.pod),
            **variables.variables_of(launch.container, launch.environment, launch.given.variables),
        }
        command = variables.command_of(launch.container, environment, image)
        memory = _memory_of(launch)
        return Order(command, environment, folder, self._scratch.user, memory)

    def _run(self, running: _Running, order: Order) -> None:
        out, err = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        running.program = Program(
            order,
            streams=(nothing, out[1], err[1]),
            on_start=lambda why: self._started(running, why),
            on_exit=lambda code: self._ended(running, code),
        )
        for ours in (nothing, out[1], err[1]):
            os.close(ours)
        running.pipes = {out[0]: STDOUT, err[0]: STDERR}
        for pipe, stream in running.pipes.items():
            os.set_blocking(pipe, False)
            asyncio.get_running_loop().add_reader(pipe, self._read, running, pipe, stream)

    def _read(self, running: _Running, pipe: int, stream: int) -> bool:
        """Take what a pipe holds; answers whether there may be more."""
        try:
            data = os.read(pipe, 65536)
        except BlockingIOError:
            return False
        if data:
            running.log.write(stream, data, at=self._clock.now())
        else:
            asyncio.get_running_loop().remove_reader(pipe)
        return bool(data)

    def _started(self, running: _Running, why: str) -> None:
        if why:
            running.verdict = (CANNOT_START, "StartError")

    def _ended(self, running: _Running, code: int) -> None:
        for pipe, stream in running.pipes.items():
            while self._read(running, pipe, stream):
                pass
            asyncio.get_running_loop().remove_reader(pipe)
            os.close(pipe)
        running.pipes.clear()
        self._scratch.running -= 1
        code, reason = running.verdict or (code, reason_for(code))
        self._settle(running, Exit(code, self._clock.now(), reason))
        running.on_exit(running.launch.container_id)

    def _fail(self, running: _Running, why: str) -> None:
        self._settle(running, Exit(CANNOT_START, self._clock.now(), "StartError", why))

    def _settle(self, running: _Running, exit_: Exit) -> None:
        running.exit = exit_
        running.log.close(at=exit_.at)
        if running.killer:
            running.killer.cancel()
        for session in running.sessions:
            session.kill()

    def stop(self, container_id: str, *, grace_seconds: float) -> None:
        """SIGTERM to process 1's program, SIGKILL to all after the grace."""
        running = self._containers.get(container_id)
        if running is None or running.program is None or running.exit is not None:
            return
        running.program.ask_to_end()
        if running.killer:
            running.killer.cancel()
        running.killer = self._timers.after(grace_seconds, running.program.kill)

    def end(self, container_id: str, *, code: int, reason: str = "") -> None:
        """Kill it, and say that it ended so."""
        running = self._containers.get(container_id)
        if running is None or running.program is None or running.exit is not None:
            return
        running.verdict = (code, reason or reason_for(code))
        running.program.kill()

    def exit_of(self, container_id: str) -> Exit | None:
        """How a container ended; None while it runs."""
        running = self._containers.get(container_id)
        return running.exit if running else None

    def launch_of(self, container_id: str) -> Launch | None:
        """What a container was started with."""
        running = self._containers.get(container_id)
        return running.launch if running else None

    def forget(self, container_id: str) -> None:
        """Kill what is left of a container, and its folder."""
        running = self._containers.pop(container_id, None)
        if running is None:
            return
        if running.program and running.exit is None:
            running.on_exit = lambda _: self._scratch.clear(running.launch.pod)
            running.program.kill()
        else:
            self._scratch.clear(running.launch.pod)

    # Looking inside

    def log(self, container_id: str) -> list[LogLine]:
        """What it wrote."""
        running = self._containers.get(container_id)
        return running.log.lines() if running else []

    def follow(self, container_id: str) -> AsyncIterator[list[LogLine]]:
        """What it wrote, and what it writes."""
        running = self._containers.get(container_id)
        return (running.log if running else LogBook()).follow()

    async def execute(
        self, container_id: str, command: Sequence[str], *, is_terminal: bool
    ) -> Session:
        """A process beside the container's own."""
        running = self._containers[container_id]
        own = running.order
        if own is None or running.exit is not None:
            raise CannotExecute("container is not running")
        if not command:
            raise CannotExecute(NOTHING)
        terminal = {"TERM": "xterm"} if is_terminal else {}
        environment = {**terminal, **own.environment}
        order = Order(command, environment, own.folder, own.user, own.memory_bytes, is_terminal)
        if _found(order) is None:
            raise CannotExecute(NOT_FOUND.format(program=command[0]))
        session = await ProcessSession.begin(order)
        running.sessions = [one for one in running.sessions if not one.is_over] + [session]
        return session

    async def connect(self, container_id: str, port: int) -> Connection:
        """One of its ports, on the pod's own address."""
        running = self._containers.get(container_id)
        if running is None or running.exit is not None:
            raise ConnectionRefusedError
        return await asyncio.open_connection(self._scratch.address_of(running.launch.pod), port)


def _found(order: Order) -> str | None:
    path = f"{order.folder}:{order.environment.get('PATH', '')}"
    program = order.command[0]
    if "/" in program:
        return shutil.which(str(Path(order.folder, program)))
    return shutil.which(program, path=path.partition(":")[2])


def _memory_of(launch: Launch) -> int:
    limits = (launch.container.get("resources") or {}).get("limits") or {}
    wished = limits.get("memory")
    if not wished:
        return launching.MEMORY_BYTES
    return min(launching.MEMORY_BYTES, int(quantities.read(wished)))
