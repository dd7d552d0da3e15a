"""A small web server: the program of the image `npu-web`, the page of simulated containers.

It needs nothing but Python's own library, so the same file runs as a local process, in a
real container and inside the sandbox.  It shows a page that talks to itself over a
WebSocket, and mirrors what reaches it:

    /            the page                     /echo      the request's body, as it comes
    /mirror      method, path and headers     /redirect  answers with `?to=` as its Location
    /ticks?n=3   a line every 100 ms          /ws        a WebSocket that says everything back
"""

import asyncio
import base64
import hashlib
import html
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

PORT = 8080
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
MESSAGE_LIMIT = 1024 * 1024
# Further pages in plain text, made when they are asked for.
Pages = Mapping[str, Callable[[], str]]
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE, _PING, _PONG = 8, 9, 10
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title></head>
<body><h1>{name}</h1><dl>{facts}</dl>
<p><a href="/mirror">mirror</a> · <a href="ticks?n=5">ticks</a></p>
<p><input id="say" value="hello"> <output id="heard"></output></p>
<script>
const socket = new WebSocket(new URL("ws", location.href.replace(/^http/, "ws")));
const say = document.getElementById("say");
socket.onmessage = event => {{ document.getElementById("heard").textContent = event.data; }};
socket.onopen = () => socket.send(say.value);
say.oninput = () => socket.send(say.value);
</script></body></html>
"""


@dataclass
class Asked:
    """One request, its body still on the way."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    reader: asyncio.StreamReader
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = int(self.header("content-length") or 0)

    def header(self, name: str) -> str:
        """A header's value, empty when it is not there."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def option(self, name: str, default: str = "") -> str:
        """A parameter of the URL."""
        return parse_qs(urlsplit(self.target).query).get(name, [default])[0]

    async def body(self) -> AsyncIterator[bytes]:
        """The body in the pieces it comes in."""
        if self.header("transfer-encoding").lower() == "chunked":
            while size := int((await self.reader.readline()).partition(b";")[0], 16):
                yield await self.reader.readexactly(size)
                await self.reader.readline()
            await self.reader.readline()
        while self.left > 0:
            piece = await self.reader.read(min(self.left, 65536))
            if not piece:
                return
            self.left -= len(piece)
            yield piece


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    """The next request of a connection; None when its client is gone."""
    line = (await reader.readline()).decode("latin-1").split()
    if len(line) < 2:
        return None
    headers = []
    while (raw := await reader.readline()).strip():
        name, _, value = raw.decode("latin-1").partition(":")
        headers.append((name, value.strip()))
    return Asked(line[0], line[1], headers, reader)


async def serve_connection(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    facts: Mapping[str, str],
    pages: Pages | None = None,
) -> None:
    """Answer what one connection asks, until it ends."""
    try:
        while (asked := await read_request(reader)) is not None:
            if asked.header("upgrade").lower() == "websocket":
                await _talk(asked, writer)
                break
            await _answer(asked, writer, facts, pages or {})
            if asked.header("connection").lower() == "close":
                break
    except (ConnectionError, asyncio.IncompleteReadError, ValueError):
        pass
    finally:
        writer.close()


async def _answer(
    asked: Asked, writer: asyncio.StreamWriter, facts: Mapping[str, str], pages: Pages
) -> None:
    path = urlsplit(asked.target).path
    if path == "/echo":
        await _echo(asked, writer)
        return
    async for _ in asked.body():
        pass
    if path in pages:
        _send(writer, 200, pages[path]().encode(), content_type=PLAIN)
    elif path == "/ticks":
        await _tick(asked, writer)
    elif path == "/redirect":
        _send(writer, 302, b"", location=asked.option("to", "/mirror"))
    elif path == "/mirror" or path.startswith("/mirror/"):
        told = {"method": asked.method, "target": asked.target, "headers": asked.headers}
        _send(writer, 200, json.dumps(told).encode(), content_type="application/json")
    elif path == "/":
        _send(writer, 200, page(facts).encode(), content_type="text/html; charset=utf-8")
    else:
        _send(writer, 404, b"nothing here\n")
    await writer.drain()


def page(facts: Mapping[str, str]) -> str:
    """The page, with what the container knows of itself."""
    shown = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>"
        for name, value in facts.items()
    )
    return _PAGE.format(name=html.escape(facts.get("name", "npu-web")), facts=shown)


def _send(writer: asyncio.StreamWriter, code: int, body: bytes, **headers: str) -> None:
    given = {"content_type": "text/plain", "content_length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items()]
    writer.write("\r\n".join([f"HTTP/1.1 {code} Status", *lines, "", ""]).encode("latin-1") + body)


async def _begin_chunks(writer: asyncio.StreamWriter, content_type: str) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
    writer.write(head.encode("latin-1"))
    await writer.drain()


async def _chunk(writer: asyncio.StreamWriter, piece: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    await writer.drain()


async def _echo(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await _begin_chunks(writer, asked.header("content-type") or "application/octet-stream")
    async for piece in asked.body():
        await _chunk(writer, piece)
    await _chunk(writer, b"")


async def _tick(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await _begin_chunks(writer, "text/plain")
    for number in range(int(asked.option("n", "3"))):
        await _chunk(writer, b"tick %d\n" % number)
        await asyncio.sleep(0.1)
    await _chunk(writer, b"")


async def _talk(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """The WebSocket: everything said comes back."""
    key = asked.header("sec-websocket-key").encode()
    accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest()).decode()  # noqa: S324
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines.append(f"Sec-WebSocket-Accept: {accept}")
    if offered := asked.header("sec-websocket-protocol"):
        lines.append(f"Sec-WebSocket-Protocol: {offered.partition(',')[0].strip()}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    while True:
        opcode, said = await _read_frame(asked.reader)
        writer.write(_frame(_PONG if opcode == _PING else opcode, said))
        await writer.drain()
        if opcode == _CLOSE:
            return


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size > 125:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
    if size > MESSAGE_LIMIT:
        raise ValueError("message too long")
    mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
    said = await reader.readexactly(size)
    return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(said))


def _frame(opcode: int, said: bytes) -> bytes:
    size = len(said)
    if size < 126:
        head = bytes((0x80 | opcode, size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 126)) + size.to_bytes(2)
    else:
        head = bytes((0x80 | opcode, 127)) + size.to_bytes(8)
    return head + said


async def _main(address: str, port: int) -> None:
    facts = {"name": os.environ.get("HOSTNAME", "npu-web"), "pid": str(os.getpid())}
    facts["devices"] = os.environ.get("NPU_DEVICES", "")
    server = await asyncio.start_server(
        lambda reader, writer: serve_connection(reader, writer, facts), address, port
    )
    sys.stdout.write(f"listening on port {port}\n")
    sys.stdout.flush()
    # The first process of a container is not ended by a signal it does not take: it would run,
    # and be charged, for the whole of its grace.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sys.exit, 128 + signal.SIGTERM)
    await server.serve_forever()


if __name__ == "__main__":
    for name, value in os.environ.items():
        sys.stdout.write(f"{name}={value}\n")
    bind = os.environ.get("SANDBOX_POD_ADDRESS", "0.0.0.0")  # noqa: S104
    asyncio.run(_main(bind, int(os.environ.get("PORT", str(PORT)))))
