"""What a kubelet asks of whatever runs its containers.

`simulated.py` answers with state alone; a runtime that starts real processes would
answer the same calls.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from provisioning.sandbox.objects import Json


@dataclass(frozen=True)
class Exit:
    """How a container ended."""

    code: int
    at: datetime
    reason: str
    message: str = ""


@dataclass(frozen=True)
class Launch:
    """What a container is started with."""

    container_id: str
    pod: Json
    container: Json
    started_at: datetime
    environment: Mapping[str, str]


OnExit = Callable[[str], None]


class Runtime(Protocol):
    """Starts and stops containers; tells of their end through `on_exit`."""

    def start(self, launch: Launch, on_exit: OnExit) -> None: ...

    def adopt(self, launch: Launch, on_exit: OnExit) -> None: ...

    def stop(self, container_id: str, *, grace_seconds: float) -> None: ...

    def end(self, container_id: str, *, code: int, reason: str = "") -> None: ...

    def exit_of(self, container_id: str) -> Exit | None: ...

    def forget(self, container_id: str) -> None: ...
