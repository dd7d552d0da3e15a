"""The ASGI application: finds the cluster, checks the token, answers in Kubernetes' words."""

import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from provisioning.sandbox import errors
from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.http import discovery, verbs
from provisioning.sandbox.http.requests import (
    Query,
    Receive,
    Request,
    Scope,
    Send,
    Target,
    read_body,
    read_headers,
    target_of,
)
from provisioning.sandbox.http.responses import Response, Stream, failure
from provisioning.sandbox.raising import Raised
from provisioning.sandbox.watching import Watch

logger = logging.getLogger(__name__)

_HANDLERS = {
    "get": verbs.get,
    "list": verbs.list_,
    "create": verbs.create,
    "update": verbs.update,
    "patch": verbs.patch,
    "delete": verbs.delete,
    "deletecollection": verbs.delete_collection,
}


@dataclass(frozen=True)
class Served:
    """One cluster behind the port, and the token that opens it."""

    raised: Raised
    token: str


class App:
    """All clusters of a farm under one port, each below `/clusters/<name>`."""

    def __init__(self, clusters: Mapping[str, Served]) -> None:
        self._clusters = clusters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(
            method=scope["method"],
            path=scope["path"],
            query=Query(scope["query_string"]),
            headers=read_headers(scope),
        )
        try:
            response = await self._answer(request, receive)
        except StatusError as error:
            response = failure(error)
        except Exception as error:
            logger.exception("the sandbox failed on %s %s", request.method, request.path)
            response = failure(_internal(error))
        await _send(response, send)

    async def _answer(self, request: Request, receive: Receive) -> "Response | Watching":
        served, path = self._find(request)
        request.body = await read_body(receive)
        found = discovery.answer(served.raised.cluster.farm.server, path)
        return found or answer_api(served.raised, request, target_of(path))

    def _find(self, request: Request) -> tuple[Served, str]:
        _, _, rest = request.path.partition("/clusters/")
        name, _, path = rest.partition("/")
        served = self._clusters.get(name)
        if served is None:
            raise errors.unknown_resource()
        _check_token(request, served.token)
        return served, "/" + path


@dataclass
class Watching:
    """A watch on its way to a client; closed when the client leaves."""

    raised: Raised
    opened: Watch
    stream: Stream

    async def send(self, send: Send) -> None:
        try:
            await self.stream.send(send)
        finally:
            self.raised.cluster.watches.close(self.opened)


async def _send(response: Response | Watching, send: Send) -> None:
    await response.send(send)


def answer_api(raised: Raised, request: Request, target: Target) -> Response | Watching:
    verb = verbs.verb_of(request, target)
    if verb == "watch":
        opened, stream = verbs.watch(raised.cluster, request, target)
        return Watching(raised, opened, stream)
    handler = _HANDLERS.get(verb)
    if handler is None or verb not in target.kind.verbs:
        raise errors.method_not_allowed()
    return handler(raised.cluster, request, target)


def _check_token(request: Request, token: str) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        raise errors.unauthorized()


def _internal(error: Exception) -> StatusError:
    return StatusError(
        code=500, reason="InternalError", message=f"Internal error occurred: {error}",
        details={"causes": [{"message": str(error)}]},
    )  # fmt: skip
