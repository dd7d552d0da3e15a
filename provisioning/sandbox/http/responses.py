"""Answers on their way out: JSON at once, or lines as they come."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.http.requests import Receive, Send
from provisioning.sandbox.objects import dump

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


@dataclass
class Response:
    """A whole answer."""

    body: bytes
    code: int = 200
    content_type: bytes = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, send: Send, receive: Receive) -> None:
        """Send it all."""
        headers = [(b"content-length", b"%d" % len(self.body))]
        if self.content_type:
            headers.append((b"content-type", self.content_type))
        headers += [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@dataclass
class Stream:
    """An answer that goes on: each chunk is sent as soon as it is there."""

    chunks: AsyncIterator[bytes]
    content_type: bytes = JSON
    # Called when the client leaves, which a stream that has nothing to say would not notice.
    on_leave: Callable[[], None] = lambda: None

    async def send(self, send: Send, receive: Receive) -> None:
        """Send chunks until there are no more, or nobody to send them to."""
        headers = [(b"content-type", self.content_type), (b"cache-control", b"no-cache, private")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # Headers leave with the first body message; a watch must not wait for its first event.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        leaving = asyncio.create_task(self._notice_leave(receive))
        try:
            async for chunk in self.chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            leaving.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _notice_leave(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.on_leave()


def json_response(value: object, code: int = 200) -> Response:
    """A value as JSON."""
    return Response(dump(value) + b"\n", code)


def failure(error: StatusError) -> Response:
    """A refusal as the client gets it."""
    if error.text:
        return Response(error.text.encode(), error.code, content_type=TEXT)
    return Response(dump(error.body()) + b"\n", error.code, headers=error.headers)
