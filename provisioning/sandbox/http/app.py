"""The ASGI application: finds the cluster, checks the token, answers in Kubernetes' words.

Planted faults strike here, before a request has its effect or after.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from provisioning.sandbox import errors, faults
from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.faults import Fault, Faults, Shape, When
from provisioning.sandbox.http import answering, protocol, proxying, sockets, tokens
from provisioning.sandbox.http.admin import Admin
from provisioning.sandbox.http.answering import Answer, Watching
from provisioning.sandbox.http.requests import (
    Receive,
    Request,
    Scope,
    Send,
    read_body,
    request_of,
)
from provisioning.sandbox.http.responses import Response, Stream, failure
from provisioning.sandbox.raising import Raised

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """One cluster behind the port, and the token that opens it."""

    raised: Raised
    token: str


class Dropped(Exception):
    """A planted fault takes the connection away."""


class App:
    """All clusters of a farm under one port, each below `/clusters/<name>`."""

    def __init__(self, clusters: Mapping[str, Served], *, planted: Faults, admin: Admin) -> None:
        self._clusters = clusters
        self._faults = planted
        self._admin = admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in ("http", "websocket"):
            return
        request = request_of(scope)
        try:
            answer = await self._answer(request, receive)
        except Dropped:
            await _drop(scope, send)
            return
        except StatusError as error:
            answer = failure(error)
        except Exception as error:  # a slip of the sandbox must look like one, and be logged
            logger.exception("the sandbox failed on %s %s", request.method, request.path)
            answer = failure(_internal(error))
        if request.is_websocket and isinstance(answer, Response | Stream | Watching):
            send = sockets.denial(send)
        await answer.send(send, receive)

    async def _answer(self, request: Request, receive: Receive) -> Answer:
        if request.path.startswith("/admin"):
            request.body = await read_body(receive)
            return self._admin.answer(request)
        served, path = self._find(request)
        if not request.is_websocket and not proxying.is_proxied(path):
            request.body = await read_body(receive)
        asked = answering.understand(served.raised, request, path)
        struck = self._faults.strike(
            cluster=served.raised.cluster.name, verb=asked.verb, resource=asked.resource
        )
        await _strike(struck, When.BEFORE)
        answer = await asked.answer(struck)
        await _strike(struck, When.AFTER)
        return answer

    def _find(self, request: Request) -> tuple[Served, str]:
        root, _, rest = request.path.lstrip("/").partition("/")
        name, _, path = rest.partition("/")
        served = self._clusters.get(name) if root == "clusters" else None
        if served is None:
            raise errors.unknown_path()
        tokens.check(request, served.token)
        return served, "/" + path


async def _strike(struck: list[Fault], when: When) -> None:
    if when is When.BEFORE:
        for fault in faults.of_shape(struck, Shape.SLOW):
            await asyncio.sleep(fault.seconds)
    for fault in faults.of_shape(struck, Shape.DROP, Shape.DOWN, Shape.ERROR, when=when):
        # A server that is down has no answer, unless it is to be one.
        if fault.shape is Shape.DROP or (fault.shape is Shape.DOWN and fault.code == 0):
            raise Dropped
        raise fault.error()


async def _drop(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        # The nearest a WebSocket has: the server hangs up before it is one.
        await send(dict(sockets.REFUSED))
        return
    protocol.abort(scope)
    # uvicorn learns of the lost connection in the next rounds of the loop; only then may we return.
    for _ in range(3):
        await asyncio.sleep(0)


def _internal(error: Exception) -> StatusError:
    return StatusError(
        code=500,
        reason="InternalError",
        message=f"Internal error occurred: {error}",
        details={"causes": [{"message": str(error)}]},
    )
