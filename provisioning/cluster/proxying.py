"""Pass one HTTP exchange or one WebSocket on to a port of a pod, through the API server.

Bytes go both ways as they come.  The API server's own handwriting is taken off the way
back: it puts its path in front of the links of HTML pages and of redirects, which would
lead a browser nowhere.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict

from provisioning.cluster import sockets
from provisioning.cluster.errors import ClusterUnreachable, StatusBody, refusal_of
from provisioning.errors import NothingListens
from provisioning.pods import LivePod

Headers = list[tuple[str, str]]

# How long an instance may think before it answers; after that, silence is free.
ANSWER_SECONDS: Final = 120.0
# Asking twice does no harm with these, so a first refusal is not believed.
REPEATABLE: Final = ("GET", "HEAD")
PAUSE_SECONDS: Final = 0.2
LONGEST_STATUS: Final = 8 * 1024
# What aiohttp would add on its own; the browser has said what it wants said.
_OURS: Final = ("User-Agent", "Accept", "Content-Type")
# Words of the API server for a pod that does not answer at this port.
_UNREACHED: Final = ("error trying to reach service", "error dialing backend")


@dataclass(frozen=True)
class Answer:
    """What the instance answered; `chunks` is read once."""

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes]


@asynccontextmanager
async def asked(
    pod: LivePod,
    *,
    port: int,
    method: str,
    target: str,
    headers: Headers,
    body: AsyncIterator[bytes] | None,
) -> AsyncIterator[Answer]:
    """Ask a port of the pod; `target` is a path with its query, as the browser wrote it."""
    sent = partial(_sent, pod, port, method, target, headers)
    try:
        answer, first = await _answered(sent, body)
    except NothingListens:
        if method not in REPEATABLE or body is not None:
            raise
        # A connection the API server had kept may have been closed that very moment.
        await asyncio.sleep(PAUSE_SECONDS)
        answer, first = await _answered(sent, body)
    async with answer:
        yield Answer(
            status=answer.status,
            headers=_headers_of(answer, _handwriting(pod, port)),
            chunks=_chunks(answer, first, _handwriting(pod, port)),
        )


@asynccontextmanager
async def connected(
    pod: LivePod, *, port: int, target: str, headers: Headers, protocols: tuple[str, ...]
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Open a WebSocket to a port of the pod."""
    async with sockets.web_socket(
        pod.connection,
        prefix_of(pod, port) + target,
        protocols=protocols,
        headers=_with_credentials(pod, headers),
        answer_seconds=ANSWER_SECONDS,
    ) as socket:
        yield socket


def prefix_of(pod: LivePod, port: int) -> str:
    """Return what stands before a path of the instance in the API server's addresses."""
    return f"{pod.path}:{port}/proxy"


def _handwriting(pod: LivePod, port: int) -> tuple[str, ...]:
    """What the API server puts before addresses: with the path it is served under, or without."""
    prefix, base = prefix_of(pod, port), urlsplit(pod.connection.host).path
    return (f"{base}{prefix}", prefix) if base else (prefix,)


def _with_credentials(pod: LivePod, headers: Headers) -> CIMultiDict[str]:
    sent = CIMultiDict(headers)
    for name, value in pod.connection.headers.items():
        if name != "User-Agent":
            sent[name] = value
    sent["Accept-Encoding"] = "identity"
    return sent


async def _answered(
    sent: Callable[[AsyncIterator[bytes] | None], Awaitable[aiohttp.ClientResponse]],
    body: AsyncIterator[bytes] | None,
) -> tuple[aiohttp.ClientResponse, bytes]:
    """Return an answer and what had to be read of it to know that it is the instance's."""
    with sockets.transport_errors():
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await sent(body)
    try:
        return answer, await _first_bytes(answer)
    except BaseException:
        answer.close()
        raise


async def _sent(
    pod: LivePod,
    port: int,
    method: str,
    target: str,
    headers: Headers,
    body: AsyncIterator[bytes] | None,
) -> aiohttp.ClientResponse:
    connection = pod.connection
    return await sockets.session_of(connection).request(
        method,
        sockets.url_of(connection, prefix_of(pod, port) + target),
        headers=_with_credentials(pod, headers),
        # HTML is looked through on its way, so it has to come as it is.
        skip_auto_headers=_OURS,
        data=body,
        allow_redirects=False,
        **sockets.tls_of(connection),
    )


async def _first_bytes(answer: aiohttp.ClientResponse) -> bytes:
    """Read a refusal that may be the API server's own, and raise it if it is."""
    if answer.status < 400 or answer.content_type != "application/json":
        return b""
    data = bytearray()
    with sockets.transport_errors():
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(data) < LONGEST_STATUS and (chunk := await answer.content.readany()):
                data += chunk
    _raise_if_refused(answer.status, bytes(data))
    return bytes(data)


def _raise_if_refused(status: int, data: bytes) -> None:
    try:
        said = json.loads(data)
    except ValueError:
        return
    if not isinstance(said, dict) or (said.get("kind"), said.get("apiVersion")) != ("Status", "v1"):
        return
    message = str(said.get("message") or "")
    if message.startswith(_UNREACHED):
        raise NothingListens
    details = said.get("details")
    details = details if isinstance(details, dict) else {}
    raise refusal_of(StatusBody(status, str(said.get("reason") or ""), message, details))


def _headers_of(answer: aiohttp.ClientResponse, prefixes: tuple[str, ...]) -> Headers:
    found = []
    for raw_name, raw_value in answer.raw_headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name.lower() == "location":
            for prefix in prefixes:
                value = value.removeprefix(prefix) or "/"
        # What is taken out of a page is missing from its length.
        if name.lower() != "content-length" or not _is_rewritten(answer):
            found.append((name, value))
    return found


def _is_rewritten(answer: aiohttp.ClientResponse) -> bool:
    return answer.content_type == "text/html" and "Content-Encoding" not in answer.headers


async def _chunks(
    answer: aiohttp.ClientResponse, first: bytes, prefixes: tuple[str, ...]
) -> AsyncIterator[bytes]:
    pieces = _pieces(answer, first)
    for prefix in prefixes if _is_rewritten(answer) else ():
        pieces = without(pieces, prefix.encode())
    async for piece in pieces:
        yield piece


async def _pieces(answer: aiohttp.ClientResponse, first: bytes) -> AsyncIterator[bytes]:
    if first:
        yield first
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError) as error:
        raise ClusterUnreachable(type(error).__name__) from error


async def without(pieces: AsyncIterator[bytes], unwanted: bytes) -> AsyncIterator[bytes]:
    """Take out every occurrence of something, wherever the pieces are cut."""
    rest = b""
    async for piece in pieces:
        rest = (rest + piece).replace(unwanted, b"")
        kept = _beginning_at_end(rest, unwanted)
        ready, rest = rest[: len(rest) - kept], rest[len(rest) - kept :]
        if ready:
            yield ready
    if rest:
        yield rest


def _beginning_at_end(text: bytes, wanted: bytes) -> int:
    """How many bytes at the end may be the beginning of what is wanted."""
    longest = min(len(wanted) - 1, len(text))
    return next((n for n in range(longest, 0, -1) if text.endswith(wanted[:n])), 0)
