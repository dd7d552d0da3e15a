"""Send each request where its host belongs, before Django looks at it.

Hosts below the apps domain are instances; everything else is the portal.  Of the portal's
own sockets there is one kind: terminals.
"""

import re
from typing import Final
from uuid import UUID

from django.conf import settings

from portal.access import bridging, hosts, visiting
from portal.access.protocol import Application, Receive, Scope, Send
from provisioning.cluster import sockets

_ID: Final = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
TERMINALS: Final = (
    re.compile(rf"/access/{_ID}/terminal"),
    re.compile(rf"/api/v1/instances/{_ID}/terminal"),
)


def by_host(portal: Application) -> Application:
    """Put the hosts of instances and the terminals before the portal."""

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and _is_an_instances(scope):
            await visiting.serve_place(scope, receive, send)
        elif scope["type"] == "websocket":
            await _terminal(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        else:
            await portal(scope, receive, send)

    return dispatch


def _is_an_instances(scope: Scope) -> bool:
    # Any of several Host headers is enough: none of those requests is for the portal.
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return any(hosts.is_inside(host, settings.APPS_DOMAIN) for host in given)


async def _live(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await sockets.close_all()
    await send({"type": "lifespan.shutdown.complete"})


async def _terminal(scope: Scope, receive: Receive, send: Send) -> None:
    found = next(filter(None, (one.fullmatch(scope["path"]) for one in TERMINALS)), None)
    if found is None:
        await receive()
        await send({"type": "websocket.close", "code": bridging.REFUSED})
        return
    await bridging.serve_terminal(scope, receive, send, instance_id=UUID(found[1]))
