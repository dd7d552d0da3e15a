"""Carry one HTTP request over an open connection to a pod, and its answer to the client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import h11

from provisioning.sandbox.containers.runtime import Connection
from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.http import rewriting
from provisioning.sandbox.http.requests import Receive, Request, Send
from provisioning.sandbox.http.responses import Response, failure
from provisioning.sandbox.http.rewriting import Headers, Place

_CHUNK = 65536
# A page is held whole while its links are rewritten.
_PAGE_LIMIT = 32 * 1024 * 1024


class Broken(Exception):
    """The pod hung up or spoke something else than HTTP."""


@dataclass
class Relaying:
    """A request that has reached its pod."""

    request: Request
    url: str
    headers: Headers
    connection: Connection
    place: Place

    async def send(self, send: Send, receive: Receive) -> None:
        """Carry the bodies both ways."""
        wire = h11.Connection(h11.CLIENT)
        uploading = asyncio.create_task(self._upload(wire, receive))
        try:
            await self._download(wire, send)
        except Broken as error:
            await _broken(str(error)).send(send, receive)
        finally:
            uploading.cancel()
            self.connection[1].close()

    async def _upload(self, wire: h11.Connection, receive: Receive) -> None:
        writer = self.connection[1]
        with contextlib.suppress(OSError, h11.LocalProtocolError):
            writer.write(wire.send(self._head()) or b"")
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    # The pod hears that nobody listens any more, and so does `_download`.
                    writer.transport.abort()
                    return
                if data := message.get("body"):
                    writer.write(wire.send(h11.Data(data=data)) or b"")
                if not message.get("more_body") and wire.our_state is h11.SEND_BODY:
                    writer.write(wire.send(h11.EndOfMessage()) or b"")
                await writer.drain()

    def _head(self) -> h11.Request:
        headers = [("Host", self.request.headers.get("host", "")), *self.headers]
        if length := self.request.headers.get("content-length"):
            headers.append(("Content-Length", length))
        elif self.request.headers.get("transfer-encoding"):
            headers.append(("Transfer-Encoding", "chunked"))
        return h11.Request(method=self.request.method, target=self.url, headers=headers)

    async def _download(self, wire: h11.Connection, send: Send) -> None:
        response = await self._response(wire)
        given = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in response.headers.raw_items()
        ]
        headers = rewriting.answer_headers(given, self.place)
        if rewriting.has_links(headers) and self.request.method != "HEAD":
            await self._send_page(wire, send, response.status_code, headers)
            return
        await _start(send, response.status_code, headers)
        # A stream that is silent at first must not keep its headers back.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        try:
            async for data in self._body(wire):
                await send({"type": "http.response.body", "body": data, "more_body": True})
        except Broken:
            # Half an answer is sent; a clean end would make it look whole.
            return
        await send({"type": "http.response.body", "body": b""})

    async def _send_page(
        self, wire: h11.Connection, send: Send, code: int, headers: Headers
    ) -> None:
        body = b""
        async for data in self._body(wire):
            body += data
            if len(body) > _PAGE_LIMIT:
                raise Broken("page too long")
        body = rewriting.page(body, headers, self.place)
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        await _start(send, code, [*kept, ("content-length", str(len(body)))])
        await send({"type": "http.response.body", "body": body})

    async def _response(self, wire: h11.Connection) -> h11.Response:
        while True:
            event = await self._next(wire)
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise Broken("EOF")

    async def _body(self, wire: h11.Connection) -> AsyncIterator[bytes]:
        while True:
            event = await self._next(wire)
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            else:
                return

    async def _next(self, wire: h11.Connection) -> object:
        try:
            while (event := wire.next_event()) is h11.NEED_DATA:
                wire.receive_data(await self.connection[0].read(_CHUNK))
        except (OSError, h11.RemoteProtocolError) as error:
            raise Broken("EOF") from error
        return event


async def _start(send: Send, code: int, headers: Headers) -> None:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": code, "headers": raw})


def _broken(why: str) -> Response:
    return failure(
        StatusError(
            code=503,
            reason="ServiceUnavailable",
            message=f"error trying to reach service: {why}",
        )
    )
