"""WebSockets of the API: accepted with a protocol both sides know, or refused with an answer."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from provisioning.sandbox.http.requests import Receive, Send

REFUSED = {"type": "websocket.close"}
NORMAL = 1000


class Left(Exception):
    """The client is gone."""


@dataclass
class Socket:
    """One WebSocket that is open."""

    send_message: Send
    receive_message: Receive
    is_open: bool = True

    async def send(self, data: bytes) -> None:
        """One binary message."""
        if self.is_open:
            await self._send({"type": "websocket.send", "bytes": data})

    async def receive(self) -> bytes:
        """The next message; raises `Left` when there will be none."""
        message = await self.receive_message()
        if message["type"] != "websocket.receive":
            self.is_open = False
            raise Left
        return message.get("bytes") or (message.get("text") or "").encode()

    async def close(self) -> None:
        """Say goodbye."""
        if self.is_open:
            await self._send({"type": "websocket.close", "code": NORMAL})
            self.is_open = False

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            await self.send_message(message)
        except (OSError, RuntimeError) as error:
            # uvicorn tells of a lost client in either way.
            self.is_open = False
            raise Left from error


def chosen(offered: Sequence[str], known: Sequence[str]) -> str | None:
    """The protocol to speak: the first known one that is offered; None: no common one."""
    if not offered:
        return ""
    return next((protocol for protocol in known if protocol in offered), None)


async def accept(send: Send, receive: Receive, protocol: str) -> Socket:
    """Open the socket."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": protocol or None})
    return Socket(send, receive)


async def refuse(send: Send, receive: Receive) -> None:
    """No common protocol: the server hangs up with 403 and no body."""
    await receive()
    await send(dict(REFUSED))


def denial(send: Send) -> Send:
    """Sends an ordinary answer where a socket was asked for."""

    async def sending(message: Any) -> None:
        with contextlib.suppress(OSError):
            await send({**message, "type": f"websocket.{message['type']}"})

    return sending
