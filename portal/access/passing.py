"""Pass one exchange between a browser and an instance, both ways at once.

Nothing is collected: a body is read as fast as the other side takes it.  It ends when the
answer does, when the browser leaves, or when the visitor may no longer be here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp

from portal.access import entering, headers
from portal.access.entering import Refusal
from portal.access.protocol import Receive, Send
from provisioning.cluster import proxying
from provisioning.cluster.proxying import Answer
from provisioning.errors import ClusterUnreachable
from provisioning.pods import LivePod

Headers = list[tuple[str, str]]

# Why the portal ends a socket; below 4000 the instance's own code is passed on.
LEFT, REFUSED = 1001, 4403


class Body:
    """What the browser sends, and the moment it leaves: both come from one source."""

    def __init__(self, receive: Receive, *, is_there: bool) -> None:
        self._receive = receive
        self._is_read = asyncio.Event()
        if not is_there:
            self._is_read.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body; raises `ConnectionResetError` when the browser leaves before its end."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError
            if chunk := message.get("body"):
                yield chunk
            if not message.get("more_body"):
                self._is_read.set()
                return

    async def left(self) -> None:
        """Wait until the browser has sent everything and gone."""
        await self._is_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def pass_http(
    send: Send,
    *,
    pod: LivePod,
    port: int,
    method: str,
    target: str,
    told: Headers,
    body: Body | None,
    watched: Body,
    ours: frozenset[str],
    check: Callable[..., None],
    seconds: float,
) -> None:
    """Pass a request on and its answer back; raises what kept the instance from answering."""

    async def exchange() -> None:
        chunks = None if body is None else body.chunks()
        asked = proxying.asked(
            pod, port=port, method=method, target=target, headers=told, body=chunks
        )
        async with asked as answer:
            await _answer(send, answer, ours)

    await first_of(exchange(), watched.left(), entering.until_refused(check, seconds=seconds))


async def _answer(send: Send, answer: Answer, ours: frozenset[str]) -> None:
    told = headers.toward_browser(answer.headers, ours=ours)
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    try:
        async for chunk in answer.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except ClusterUnreachable:
        # Left unfinished, which a browser notices: half an answer must not look like a whole.
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def pass_socket(
    receive: Receive,
    send: Send,
    *,
    socket: aiohttp.ClientWebSocketResponse,
    check: Callable[..., None],
    seconds: float,
) -> None:
    """Pass messages both ways until one side closes."""

    async def from_browser() -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            if message.get("bytes") is not None:
                await socket.send_bytes(message["bytes"])
            elif message.get("text") is not None:
                await socket.send_str(message["text"])
        await socket.close(code=_code(message.get("code")))

    async def from_instance() -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await send({"type": "websocket.send", "text": message.data})
            elif message.type is aiohttp.WSMsgType.BINARY:
                await send({"type": "websocket.send", "bytes": message.data})
        await send({"type": "websocket.close", "code": _code(socket.close_code)})

    async def while_welcome() -> None:
        refusal: Refusal = await entering.until_refused(check, seconds=seconds)
        await send({"type": "websocket.close", "code": REFUSED, "reason": refusal.code})

    await first_of(from_instance(), from_browser(), while_welcome())


async def first_of(*parts: Coroutine[Any, Any, object]) -> object:
    """Run parts together until the first has ended; it is that one's end which counts."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _code(code: int | None) -> int:
    # Some codes may be told but never sent.
    return code if code and (1000 <= code <= 1003 or 1007 <= code <= 1014 or code >= 3000) else LEFT
