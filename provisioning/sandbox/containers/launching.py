"""Start a program under its own process 1 (`workloads/launch.py`) and hear of its end."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioning.sandbox.workloads import launch

MEMORY_BYTES = 2 * 1024**3
_LIMITS = {
    "RLIMIT_CORE": 0,
    "RLIMIT_FSIZE": 256 * 1024**2,
    "RLIMIT_NOFILE": 512,
}
# Only where the user is ours alone: the number is of all processes of a user.
_PROCESSES = 512


@dataclass(frozen=True)
class Order:
    """What is to run, as whom, where and with what."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    user: int
    memory_bytes: int = MEMORY_BYTES
    is_terminal: bool = False

    def line(self) -> bytes:
        """The order as process 1 reads it."""
        limits = {**_LIMITS, "RLIMIT_AS": self.memory_bytes}
        if self.user:
            limits["RLIMIT_NPROC"] = _PROCESSES
        told = {
            "command": list(self.command),
            "environment": dict(self.environment),
            "folder": str(self.folder),
            "user": self.user,
            "limits": limits,
            "terminal": self.is_terminal,
        }
        return json.dumps(told).encode() + b"\n"


class Program:
    """A program that runs, seen from outside."""

    def __init__(
        self,
        order: Order,
        *,
        streams: tuple[int, int, int],
        on_start: Callable[[str], None],
        on_exit: Callable[[int], None],
    ) -> None:
        ours, theirs = socket.socketpair()
        self._control = ours
        self._on_start, self._on_exit = on_start, on_exit
        self._process = _spawn(theirs, streams)
        theirs.close()
        ours.sendall(order.line())
        ours.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(ours.fileno(), self._hear)

    def ask_to_end(self) -> None:
        """SIGTERM to the program itself."""
        self._send(b"T")

    def kill(self) -> None:
        """SIGKILL to it and all it has started."""
        self._send(b"K")

    def _send(self, order: bytes) -> None:
        with contextlib.suppress(OSError):
            self._control.send(order)

    def _hear(self) -> None:
        """`started`, or `error` and why; the end of the socket is the end of the program."""
        try:
            told = self._control.recv(8192)
        except BlockingIOError:
            return
        except ConnectionError:
            told = b""
        if told:
            self._on_start(told.decode().partition("error ")[2].strip())
            return
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        code = self._process.wait()
        self._on_exit(code if code >= 0 else 128 - code)


def _spawn(control: socket.socket, streams: tuple[int, int, int]) -> subprocess.Popen[bytes]:
    """Process 1, told which descriptor is its end of the socket."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", launch.__file__, str(control.fileno())],
        stdin=streams[0],
        stdout=streams[1],
        stderr=streams[2],
        pass_fds=(control.fileno(),),
        env={"PATH": os.defpath},
        cwd="/",
    )
