"""What a request to a cluster asks, and the answer to it.

`understand` finds out without any effect, so that faults can be matched first.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from provisioning.sandbox import errors, faults
from provisioning.sandbox.faults import Fault, Shape
from provisioning.sandbox.http import discovery, reviews, subresources, verbs
from provisioning.sandbox.http.requests import Receive, Request, Send, Target, target_of
from provisioning.sandbox.http.responses import Response, Stream
from provisioning.sandbox.http.subresources import Below
from provisioning.sandbox.raising import Raised
from provisioning.sandbox.watching import Watch

_HANDLERS: dict[str, Callable[..., Response]] = {
    "get": verbs.get,
    "list": verbs.list_,
    "create": verbs.create,
    "update": verbs.update,
    "patch": verbs.patch,
    "delete": verbs.delete,
    "deletecollection": verbs.delete_collection,
}


@dataclass
class Watching:
    """A watch on its way to a client; closed when the client leaves."""

    raised: Raised
    opened: Watch
    stream: Stream

    async def send(self, send: Send, receive: Receive) -> None:
        """Stream until the watch ends or the client goes."""
        try:
            await self.stream.send(send, receive)
        finally:
            self.raised.cluster.watches.close(self.opened)


Answer = Below | Watching


@dataclass(frozen=True)
class Asked:
    """A request understood: how faults know it, and how to answer it."""

    verb: str
    resource: str
    answer: Callable[[list[Fault]], Awaitable[Answer]]


def understand(raised: Raised, request: Request, path: str) -> Asked:
    """What a path and a method mean on a cluster."""
    plain = discovery.answer(raised.cluster.farm.server, path) or reviews.answer(request, path)
    if plain is not None:
        found = plain

        async def answered(struck: list[Fault]) -> Answer:
            return found

        return Asked("get", "", answered)
    target = target_of(path)
    verb = verbs.verb_of(request, target)
    return Asked(verb, target.resource, lambda struck: _api(raised, request, target, verb, struck))


async def _api(
    raised: Raised, request: Request, target: Target, verb: str, struck: list[Fault]
) -> Answer:
    if target.subresource:
        found = await subresources.answer(raised, request, target)
        if found is not None:
            return found
    if verb not in target.kind.verbs or not _fits(verb, target):
        raise errors.method_not_allowed()
    if verb == "watch":
        return _watch(raised, request, target, struck)
    return _HANDLERS[verb](raised.cluster, request, target)


def _fits(verb: str, target: Target) -> bool:
    """Collections are listed and created in; objects take the rest; status takes three verbs."""
    if target.subresource:
        return verb in ("get", "update", "patch")
    if verb in ("update", "patch"):
        return bool(target.name)
    if verb in ("create", "deletecollection"):
        in_namespace = bool(target.namespace) or not target.kind.namespaced
        return not target.name and in_namespace
    return True


def _watch(raised: Raised, request: Request, target: Target, struck: list[Fault]) -> Watching:
    opened, stream = verbs.watch(raised.cluster, request, target)
    if faults.of_shape(struck, Shape.WATCH_GONE):
        raised.cluster.watches.expire(opened)
    if faults.of_shape(struck, Shape.WATCH_SILENT):
        opened.silence()
    return Watching(raised, opened, stream)
