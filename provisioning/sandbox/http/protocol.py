"""uvicorn's protocol with two more doors: a handler may tear its connection down, or take it over.

A dropped answer has no bytes at all, and an upgrade that is carried to a pod is neither
HTTP nor a WebSocket of ours: an ASGI application alone can do neither.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from provisioning.sandbox.containers.runtime import Connection
from provisioning.sandbox.http.requests import Scope

EXTENSION = "sandbox.connection"


class AbortableProtocol(HttpToolsProtocol):
    """Puts both doors into every request's scope."""

    _latest = b""
    # What came behind the head of a request to upgrade.
    _beyond: bytearray | None = None

    def on_message_begin(self) -> None:
        """A request begins: uvicorn makes its scope here."""
        super().on_message_begin()
        doors = {"abort": self.transport.abort, "take_over": self._take_over}
        self.scope["extensions"] = cast("dict[str, dict[object, object]]", {EXTENSION: doors})

    def data_received(self, data: bytes) -> None:
        """Bytes behind an upgrade are not HTTP: they wait for who takes the connection over."""
        if self._beyond is not None:
            self._beyond += data
            return
        self._latest = data
        super().data_received(data)

    def _should_upgrade(self) -> bool:
        # What is carried to a pod stays a request for the application.
        return b"/proxy/" not in self.url and super()._should_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        raised = sys.exc_info()[1]
        offset = raised.args[0] if raised and raised.args else len(self._latest)
        self._beyond = bytearray(self._latest[offset:])

    def _take_over(self) -> Connection:
        # uvicorn must neither answer in the application's place nor wait for its answer.
        self.cycle.disconnected = True
        self.connections.discard(self)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        reader.feed_data(bytes(self._beyond or b""))
        return reader, asyncio.StreamWriter(self.transport, protocol, reader, loop)


class DenyingProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which takes a refusal with a body for an unfinished handshake."""

    async def send(self, message: Any) -> None:
        """Whoever was refused is done with."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True


def abort(scope: Scope) -> None:
    """End a request's connection without a word."""
    found = (scope.get("extensions") or {}).get(EXTENSION)
    if found:
        tear: Callable[[], None] = found["abort"]
        tear()


def take_over(extensions: Mapping[str, Any]) -> Connection:
    """The bare connection of a request, whose answer is now the caller's affair."""
    take: Callable[[], Connection] = extensions[EXTENSION]["take_over"]
    return take()
