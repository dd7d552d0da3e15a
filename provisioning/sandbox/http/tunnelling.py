"""A request to upgrade, carried to a pod as it is; afterwards bytes go both ways untouched."""

import asyncio
import contextlib
from dataclasses import dataclass

from provisioning.sandbox.containers.runtime import Connection
from provisioning.sandbox.http import protocol
from provisioning.sandbox.http.requests import Receive, Request, Send
from provisioning.sandbox.http.rewriting import Headers

_CHUNK = 65536


@dataclass
class Tunnelling:
    """An upgrade that has reached its pod."""

    request: Request
    url: str
    headers: Headers
    connection: Connection

    async def send(self, send: Send, receive: Receive) -> None:
        """Take the client's connection over and join it with the pod's."""
        client = protocol.take_over(self.request.extensions)
        lines = [f"{self.request.method} {self.url} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        self.connection[1].write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        await join(client, self.connection)


async def join(one: Connection, other: Connection) -> None:
    """Carry bytes both ways until one side ends."""
    ways = [
        asyncio.create_task(_carry(one[0], other[1])),
        asyncio.create_task(_carry(other[0], one[1])),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        for _, writer in (one, other):
            writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
