"""Containers that are state only: they start, run their time and end, and cost a timer at most.

Whoever looks inside finds a small shell (`shells.py`), a page on the ports (`doors.py`)
and a log derived from the time (`logs.py`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from provisioning.sandbox.containers import behaviours, doors, logs
from provisioning.sandbox.containers.behaviours import Behaviour
from provisioning.sandbox.containers.runtime import Connection, Exit, Launch, LogLine, OnExit
from provisioning.sandbox.containers.sessions import Session
from provisioning.sandbox.containers.shells import ShellSession
from provisioning.sandbox.farm import Farm, Image
from provisioning.sandbox.timers import Timer, Timers
from provisioning.sandbox.times import Clock
from provisioning.sandbox.workloads import web

KILLED = 137
CANNOT_START = 128
START_ERROR = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc"
    ' create failed: unable to start container process: exec: "{program}": executable file not'
    " found in $PATH: unknown"
)


@dataclass
class _Running:
    launch: Launch
    behaviour: Behaviour
    on_exit: OnExit
    timer: Timer | None = None
    exit: Exit | None = None
    sessions: list[ShellSession] = field(default_factory=list)
    # Set at its end, for those who wait for it; most containers have nobody waiting.
    over: asyncio.Event | None = None


class SimulatedRuntime:
    """Runs the containers of one node in memory."""

    def __init__(
        self,
        *,
        farm: Farm,
        clock: Clock,
        timers: Timers,
        pages: Callable[[Launch], web.Pages] = lambda _: {},
    ) -> None:
        self._farm = farm
        # What a container's ports show beside the page that all have.
        self._pages = pages
        self._clock = clock
        self._timers = timers
        self._containers: dict[str, _Running] = {}

    def start(self, launch: Launch, on_exit: OnExit) -> None:
        """Begin a container, or fail to when its image lacks the program."""
        image = self._image(launch)
        self.adopt(launch, on_exit, exit_=self._start_error(launch, image))

    def adopt(self, launch: Launch, on_exit: OnExit, *, exit_: Exit | None) -> None:
        """What runs is only state, so it goes on where its time is."""
        behaviour = behaviours.of_container(launch.container, self._image(launch))
        running = _Running(launch, behaviour, on_exit, exit=exit_)
        self._containers[launch.container_id] = running
        if exit_ is None and behaviour.run_seconds is not None:
            ran = (self._clock.now() - launch.started_at).total_seconds()
            self._plan(launch.container_id, behaviour.run_seconds - ran, behaviour.exit_code)

    def _image(self, launch: Launch) -> Image:
        name = str(launch.container.get("image"))
        return self._farm.image(name) or Image(name)

    def _start_error(self, launch: Launch, image: Image) -> Exit | None:
        missing = behaviours.missing_program(launch.container, image)
        if not missing:
            return None
        why = START_ERROR.format(program=missing)
        return Exit(CANNOT_START, self._clock.now(), "StartError", why)

    def stop(self, container_id: str, *, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL at the end of the grace for what does not listen."""
        running = self._containers.get(container_id)
        if running is None or running.exit is not None:
            return
        behaviour = running.behaviour
        listens = behaviour.stop_seconds is not None and behaviour.stop_seconds <= grace_seconds
        seconds = behaviour.stop_seconds if listens else grace_seconds
        code = behaviour.stop_exit_code if listens else KILLED
        self._plan(container_id, seconds or 0.0, code)

    def end(self, container_id: str, *, code: int, reason: str = "") -> None:
        """The container ends, here and now."""
        running = self._containers.get(container_id)
        if running is None or running.exit is not None:
            return
        running.exit = Exit(code, self._clock.now(), reason or reason_for(code))
        _leave(running)
        running.on_exit(container_id)

    def exit_of(self, container_id: str) -> Exit | None:
        """How a container ended; None while it runs."""
        running = self._containers.get(container_id)
        return running.exit if running else None

    def launch_of(self, container_id: str) -> Launch | None:
        """What a container was started with."""
        running = self._containers.get(container_id)
        return running.launch if running else None

    def forget(self, container_id: str) -> None:
        """Drop what is known of a container."""
        running = self._containers.pop(container_id, None)
        if running:
            _leave(running)

    def _plan(self, container_id: str, seconds: float, code: int) -> None:
        running = self._containers[container_id]
        if running.timer:
            running.timer.cancel()
        running.timer = self._timers.after(seconds, lambda: self.end(container_id, code=code))

    # Looking inside

    def log(self, container_id: str) -> list[LogLine]:
        """What it would have written by now."""
        running = self._containers.get(container_id)
        if running is None:
            return []
        until = running.exit.at if running.exit else self._clock.now()
        return logs.lines(running.launch, until=until)

    async def follow(self, container_id: str) -> AsyncIterator[list[LogLine]]:
        """Its lines, and then each when it is due."""
        running = self._containers.get(container_id)
        if running is None:
            return
        seen = self.log(container_id)
        yield seen
        running.over = running.over or asyncio.Event()
        while running.exit is None and not running.over.is_set():
            with contextlib.suppress(TimeoutError):
                pause = logs.until_next(running.launch, now=self._clock.now())
                await asyncio.wait_for(running.over.wait(), pause)
            # Lines drop off at the front of a long log: what is new is later than what was last.
            fresh = [line for line in self.log(container_id) if not seen or line.at > seen[-1].at]
            if fresh:
                seen = fresh
                yield fresh

    async def execute(
        self, container_id: str, command: Sequence[str], *, is_terminal: bool
    ) -> Session:
        """The small shell runs it."""
        running = self._containers[container_id]
        image = self._image(running.launch)
        session = ShellSession(
            running.launch, command, programs=image.programs, is_terminal=is_terminal
        )
        running.sessions = [one for one in running.sessions if not one.is_over] + [session]
        return session

    async def connect(self, container_id: str, port: int) -> Connection:
        """The built-in page, on every port the container declares."""
        running = self._containers.get(container_id)
        if running is None or running.exit or not doors.is_open(running.launch.container, port):
            raise ConnectionRefusedError
        return await doors.open_door(running.launch, self._pages(running.launch))


def _leave(running: _Running) -> None:
    if running.timer:
        running.timer.cancel()
    if running.over:
        running.over.set()
    for session in running.sessions:
        session.kill()


def reason_for(code: int) -> str:
    """The reason a runtime gives for an end by itself."""
    return "Completed" if code == 0 else "Error"
