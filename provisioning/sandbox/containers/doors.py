"""The ports of a simulated container: the page of `workloads/web.py`, served from within.

A connection is a pair of joined sockets; one end goes to whoever connects, the other
to the page's own loop.  Nothing listens anywhere.
"""

import asyncio
import socket

from provisioning.sandbox.containers.runtime import Connection, Launch
from provisioning.sandbox.objects import Json, name_of, namespace_of
from provisioning.sandbox.workloads import web

# What a container that declares no port listens on.
DEFAULT_PORTS = (8080, 8888)
_serving: set[asyncio.Task[None]] = set()


def is_open(container: Json, port: int) -> bool:
    """Whether something listens there."""
    declared = [one.get("containerPort") for one in container.get("ports") or []]
    return port in (declared or DEFAULT_PORTS)


async def open_door(launch: Launch, pages: web.Pages) -> Connection:
    """One connection, answered by the page, or one of the further pages."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs)
    task = asyncio.create_task(web.serve_connection(reader, writer, _facts(launch), pages))
    _serving.add(task)
    task.add_done_callback(_serving.discard)
    return await asyncio.open_connection(sock=ours)


def _facts(launch: Launch) -> dict[str, str]:
    return {
        "name": name_of(launch.pod),
        "namespace": namespace_of(launch.pod),
        "container": str(launch.container.get("name")),
        "image": str(launch.container.get("image")),
        **launch.environment,
    }
