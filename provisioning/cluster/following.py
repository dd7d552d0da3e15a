"""Follow what a pod prints, from its last lines on, as long as it prints."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlencode

import aiohttp

from provisioning import names
from provisioning.cluster import sockets
from provisioning.cluster.errors import StatusBody, refusal_of
from provisioning.pods import LivePod

# A line that never ends is passed on in pieces.
LONGEST_LINE: Final = 16 * 1024


async def follow_log(pod: LivePod, *, tail: int) -> AsyncIterator[bytes]:
    """Yield lines without their ends; raises what the cluster refuses."""
    query = {"container": names.CONTAINER, "follow": "true", "tailLines": str(tail)}
    path = f"{pod.path}/log?{urlencode(query)}"
    with sockets.transport_errors():
        async with asyncio.timeout(sockets.ANSWER_SECONDS):
            answer = await sockets.session_of(pod.connection).get(
                sockets.url_of(pod.connection, path),
                headers=pod.connection.headers,
                allow_redirects=False,
                **sockets.tls_of(pod.connection),
            )
        async with answer:
            if answer.status >= 400:
                raise refusal_of(await status_of(answer))
            async for line in _lines(answer.content):
                yield line


async def status_of(answer: aiohttp.ClientResponse) -> StatusBody:
    """Read a refusal as the API server words it."""
    async with asyncio.timeout(sockets.ANSWER_SECONDS):
        data = await answer.content.read(LONGEST_LINE)
    try:
        said = json.loads(data)
    except ValueError:
        said = None
    said = said if isinstance(said, dict) else {}
    message = str(said.get("message") or data[:200].decode(errors="replace"))
    details = said.get("details")
    return StatusBody(
        http_status=answer.status,
        reason=str(said.get("reason") or ""),
        message=message,
        details=details if isinstance(details, dict) else {},
    )


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        while len(rest) > LONGEST_LINE:
            piece, rest = rest[:LONGEST_LINE], rest[LONGEST_LINE:]
            yield piece
    if rest:
        yield rest
