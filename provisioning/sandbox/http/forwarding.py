"""`portforward`: connections to a pod's ports over one WebSocket, two channels for each port.

The even channel carries the port's data, the odd one what went wrong; both begin with the
port's number.  The server hangs up soon after the last port is done.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from provisioning.sandbox import errors, reading
from provisioning.sandbox.containers.runtime import Connection
from provisioning.sandbox.http import connecting, sockets
from provisioning.sandbox.http.executing import V4
from provisioning.sandbox.http.requests import Receive, Request, Send, Target
from provisioning.sandbox.http.sockets import Left, Socket
from provisioning.sandbox.kinds import PODS
from provisioning.sandbox.kubelets import reaching
from provisioning.sandbox.kubelets.kubelet import Kubelet
from provisioning.sandbox.raising import Raised

_CHUNK = 32768


@dataclass
class Forwarding:
    """A port-forward on its way to a client."""

    kubelet: Kubelet
    container_ids: Sequence[str]
    ports: Sequence[int]
    offered: Sequence[str]

    async def send(self, send: Send, receive: Receive) -> None:
        """Carry bytes both ways until one side ends."""
        protocol = sockets.chosen(self.offered, (V4,))
        if protocol is None:
            await sockets.refuse(send, receive)
            return
        socket = await sockets.accept(send, receive, protocol)
        try:
            await self._carry(socket)
            await socket.close()
        except Left:
            return

    async def _carry(self, socket: Socket) -> None:
        for index, port in enumerate(self.ports):
            for channel in (2 * index, 2 * index + 1):
                await socket.send(bytes([channel]) + port.to_bytes(2, "little"))
        opened = [await self._open(socket, index, port) for index, port in enumerate(self.ports)]
        inward = asyncio.create_task(_hear(socket, opened))
        outward = asyncio.create_task(_tell_all(socket, opened))
        try:
            await asyncio.wait([inward, outward], return_when=asyncio.FIRST_COMPLETED)
        finally:
            inward.cancel()
            outward.cancel()
            for one in opened:
                if one:
                    one[1].close()
            with contextlib.suppress(asyncio.CancelledError, Left, OSError):
                await outward

    async def _open(self, socket: Socket, index: int, port: int) -> Connection | None:
        try:
            return await connecting.connect(self.kubelet, self.container_ids, port)
        except OSError:
            why = f"failed to connect to localhost:{port}: connection refused"
            told = f"error forwarding port {port} to pod sandbox: {why}"
            await socket.send(bytes([2 * index + 1]) + told.encode())
            return None


async def _hear(socket: Socket, opened: Sequence[Connection | None]) -> None:
    with contextlib.suppress(Left):
        while True:
            message = await socket.receive()
            index = message[0] // 2 if message else len(opened)
            found = opened[index] if index < len(opened) and message[0] % 2 == 0 else None
            if found:
                found[1].write(message[1:])
                with contextlib.suppress(OSError):
                    await found[1].drain()


async def _tell_all(socket: Socket, opened: Sequence[Connection | None]) -> None:
    readers = {index: one[0] for index, one in enumerate(opened) if one}
    await asyncio.gather(*(_tell(socket, index, reader) for index, reader in readers.items()))


async def _tell(socket: Socket, index: int, reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            await socket.send(bytes([2 * index]) + data)


def answer(raised: Raised, request: Request, target: Target) -> Forwarding:
    """Everything that can refuse a port-forward before it begins."""
    pod = reading.get(
        raised.cluster.store, kind=PODS, namespace=target.namespace, name=target.name
    ).object
    kubelet = reaching.kubelet_of(raised.kubelets, pod)
    if not request.is_websocket:
        raise errors.bad_request("Upgrade request required")
    ports = _ports(request)
    return Forwarding(kubelet, reaching.first_running(kubelet, pod), ports, request.subprotocols)


def _ports(request: Request) -> list[int]:
    texts = [text for given in request.query.every("ports") for text in given.split(",")]
    if not texts:
        raise reaching.plain(400, 'query parameter "port" is required')
    if not all(text.isdigit() and 0 < int(text) < 65536 for text in texts):
        raise reaching.plain(400, f'unable to parse "{",".join(texts)}" as a port')
    return [int(text) for text in texts]
