"""What a kubelet asks of whatever runs its containers.

`simulated.py` answers with state alone, `processes.py` with local processes, and
`choosing.py` sends each container to the one its image is for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from provisioning.sandbox.containers.sessions import Session
from provisioning.sandbox.objects import Json

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Exit:
    """How a container ended."""

    code: int
    at: datetime
    reason: str
    message: str = ""


@dataclass(frozen=True)
class Given:
    """What a container has from Secrets and ConfigMaps: variables, and files by volume."""

    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class Launch:
    """What a container is started with."""

    container_id: str
    pod: Json
    container: Json
    started_at: datetime
    environment: Mapping[str, str]
    given: Given = field(default_factory=Given)


@dataclass(frozen=True)
class LogLine:
    """One line a container wrote, and when."""

    at: datetime
    text: str


OnExit = Callable[[str], None]


class Runtime(Protocol):
    """Starts and stops containers; tells of their end through `on_exit`."""

    def start(self, launch: Launch, on_exit: OnExit) -> None:
        """Begin a container."""

    def adopt(self, launch: Launch, on_exit: OnExit, *, exit_: Exit | None) -> None:
        """Go on with a container begun before this process, or remember that it ended."""

    def stop(self, container_id: str, *, grace_seconds: float) -> None:
        """SIGTERM now, SIGKILL after the grace."""

    def end(self, container_id: str, *, code: int, reason: str = "") -> None:
        """The container ends, here and now."""

    def exit_of(self, container_id: str) -> Exit | None:
        """How a container ended; None while it runs."""

    def launch_of(self, container_id: str) -> Launch | None:
        """What a container was started with; None when it is forgotten."""

    def forget(self, container_id: str) -> None:
        """Drop what is known of a container."""

    def log(self, container_id: str) -> list[LogLine]:
        """Everything it has written and that is still kept."""

    def follow(self, container_id: str) -> AsyncIterator[list[LogLine]]:
        """Everything so far at once, then what it writes, until it ends."""

    async def execute(
        self, container_id: str, command: Sequence[str], *, is_terminal: bool
    ) -> Session:
        """Run a command in a running container; raises `CannotExecute`."""

    async def connect(self, container_id: str, port: int) -> Connection:
        """A connection to one of its ports; raises `ConnectionRefusedError`."""
