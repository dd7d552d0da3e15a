"""Run a command in a pod and talk to it: one WebSocket, a byte of channel before each message.

The API server's `v5.channel.k8s.io`, and `v4` where it is older.  A `Shell` is read by
iterating and written to between; both ends wait for each other, so neither side can flood
the other.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import aiohttp

from provisioning import names
from provisioning.cluster import sockets
from provisioning.cluster.errors import ClusterUnreachable
from provisioning.pods import LivePod

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS, RESIZE = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Ending:
    """How a command ended: its exit code, or in words why there is none."""

    exit_code: int | None
    message: str = ""


class Shell:
    """One running command."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.ending: Ending | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what it prints until it ends; raises `ClusterUnreachable` when cut off."""
        with sockets.transport_errors():
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.BINARY and message.data:
                    if message.data[0] in (STDOUT, STDERR) and len(message.data) > 1:
                        yield message.data[1:]
                    elif message.data[0] == STATUS:
                        self.ending = _ending_of(message.data[1:])
        if self.ending is None:
            raise ClusterUnreachable("The connection was cut.")

    async def write(self, data: bytes) -> None:
        """Type something; returns when it is on its way."""
        with sockets.transport_errors():
            await self._socket.send_bytes(bytes([STDIN]) + data)

    async def resize(self, *, columns: int, rows: int) -> None:
        """Tell it how large its terminal is now."""
        size = json.dumps({"Width": columns, "Height": rows}).encode()
        with sockets.transport_errors():
            await self._socket.send_bytes(bytes([RESIZE]) + size)


@asynccontextmanager
async def running_command(
    pod: LivePod, *, command: tuple[str, ...], has_terminal: bool = True
) -> AsyncIterator[Shell]:
    """Start a command in the pod's container; raises what the cluster refused it with."""
    query = [("container", names.CONTAINER), ("stdin", "true"), ("stdout", "true")]
    # A terminal has one stream for both; asked for two, the API server refuses.
    query.append(("tty", "true") if has_terminal else ("stderr", "true"))
    query += [("command", word) for word in command]
    path = f"{pod.path}/exec?{urlencode(query)}"
    async with sockets.web_socket(pod.connection, path, protocols=PROTOCOLS) as socket:
        yield Shell(socket)


def _ending_of(data: bytes) -> Ending:
    try:
        status = json.loads(data)
        if status.get("status") == "Success":
            return Ending(0)
        causes = (status.get("details") or {}).get("causes") or []
        codes = [cause["message"] for cause in causes if cause.get("reason") == "ExitCode"]
        message = str(status.get("message") or "")
        return Ending(int(codes[0]) if codes else None, message)
    except (ValueError, AttributeError, KeyError, TypeError):
        return Ending(None, data[:200].decode(errors="replace"))
