"""Sends each container to the runtime its image is for: a local process, or state alone."""

from collections.abc import AsyncIterator, Sequence

from provisioning.sandbox.containers.processes import ProcessRuntime
from provisioning.sandbox.containers.runtime import (
    Connection,
    Exit,
    Launch,
    LogLine,
    OnExit,
    Runtime,
)
from provisioning.sandbox.containers.sessions import Session
from provisioning.sandbox.containers.simulated import SimulatedRuntime
from provisioning.sandbox.farm import Farm


class ChoosingRuntime:
    """One node's runtimes behind one face."""

    def __init__(
        self, *, farm: Farm, simulated: SimulatedRuntime, processes: ProcessRuntime
    ) -> None:
        self._process_images = {image.name for image in farm.images if image.process}
        self._simulated = simulated
        self._processes = processes

    def _for(self, launch: Launch) -> Runtime:
        is_process = launch.container.get("image") in self._process_images
        return self._processes if is_process else self._simulated

    def _of(self, container_id: str) -> Runtime:
        known = self._processes.launch_of(container_id) is not None
        return self._processes if known else self._simulated

    def start(self, launch: Launch, on_exit: OnExit) -> None:
        """Begin a container."""
        self._for(launch).start(launch, on_exit)

    def adopt(self, launch: Launch, on_exit: OnExit, *, exit_: Exit | None) -> None:
        """Go on with a container begun before this process, or remember that it ended."""
        self._for(launch).adopt(launch, on_exit, exit_=exit_)

    def stop(self, container_id: str, *, grace_seconds: float) -> None:
        """SIGTERM now, SIGKILL after the grace."""
        self._of(container_id).stop(container_id, grace_seconds=grace_seconds)

    def end(self, container_id: str, *, code: int, reason: str = "") -> None:
        """The container ends, here and now."""
        self._of(container_id).end(container_id, code=code, reason=reason)

    def exit_of(self, container_id: str) -> Exit | None:
        """How a container ended; None while it runs."""
        return self._of(container_id).exit_of(container_id)

    def launch_of(self, container_id: str) -> Launch | None:
        """What a container was started with; None when it is forgotten."""
        return self._of(container_id).launch_of(container_id)

    def forget(self, container_id: str) -> None:
        """Drop what is known of a container."""
        self._of(container_id).forget(container_id)

    def log(self, container_id: str) -> list[LogLine]:
        """Everything it has written and that is still kept."""
        return self._of(container_id).log(container_id)

    def follow(self, container_id: str) -> AsyncIterator[list[LogLine]]:
        """Everything so far at once, then what it writes, until it ends."""
        return self._of(container_id).follow(container_id)

    async def execute(
        self, container_id: str, command: Sequence[str], *, is_terminal: bool
    ) -> Session:
        """Run a command in a running container; raises `CannotExecute`."""
        return await self._of(container_id).execute(container_id, command, is_terminal=is_terminal)

    async def connect(self, container_id: str, port: int) -> Connection:
        """A connection to one of its ports; raises `ConnectionRefusedError`."""
        return await self._of(container_id).connect(container_id, port)
