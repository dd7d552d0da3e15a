"""Serve the hosts of instances' ports: let visitors in, and pass on what they ask.

Nothing here reaches Django's pages, and no page of the portal is served here: these are
other origins.  `tickets` is how a signed-in person comes from the one to the other.
"""

import secrets
from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import parse_qs, quote

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from portal.access import (
    addresses,
    admitting,
    callers,
    crowding,
    headers,
    notebooks,
    passing,
    tickets,
)
from portal.access.entering import Entrance
from portal.access.errors import SignedOut
from portal.access.hosts import Place, place_at
from portal.access.protocol import Receive, Scope, Send
from portal.access.saying import say
from portal.access.targets import stays_here, target_of
from portal.access.threads import in_thread
from portal.tenants.errors import PortalError
from provisioning.cluster import proxying
from provisioning.errors import ProvisioningError

OUR_PATHS: Final = "/.npu-farm/"
STATE_SECONDS: Final = 600


async def serve_place(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request or socket at a host below the apps domain."""
    request = callers.request_of(scope)
    host = request.META.get("HTTP_HOST", "").lower()
    place = place_at(host, settings.APPS_DOMAIN)
    if scope["type"] == "websocket":
        await receive()
        if place is None or not await _socket(scope, receive, send, request, place):
            await send({"type": "websocket.close", "code": passing.REFUSED})
        return
    try:
        await _page(scope, receive, send, request, place)
    except (PortalError, ProvisioningError) as refusal:
        await say(send, request, refusal.code)


async def _page(
    scope: Scope, receive: Receive, send: Send, request: HttpRequest, place: Place | None
) -> None:
    target = target_of(scope["raw_path"], scope["query_string"])
    if place is None:
        await say(send, request, "not_found")
    elif target is None:
        await say(send, request, "bad_address")
    elif scope["path"] == addresses.ENTER:
        await _enter(scope, send, request, place)
    elif scope["path"].startswith(OUR_PATHS):
        await say(send, request, "not_found")
    elif admitting.is_foreign(request, own_origin=_origin(request)):
        await say(send, request, "foreign")
    else:
        await _visit(scope, receive, send, request, place, target)


async def _visit(
    scope: Scope,
    receive: Receive,
    send: Send,
    request: HttpRequest,
    place: Place,
    target: str,
) -> None:
    secret = request.COOKIES.get(settings.PORT_COOKIE_NAME, "")
    try:
        entrance = await admitting.admitted(secret=secret, place=place)
    except SignedOut:
        if not admitting.is_navigation(request):
            raise
        await _send_to_portal(send, request, place, target)
        return
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    body = passing.Body(receive, is_there=has_body)
    with crowding.place_for(entrance.user.pk):
        await passing.pass_http(
            send,
            pod=entrance.pod,
            port=place.port,
            method=scope["method"],
            target=target,
            told=_told(scope, request, entrance, has_body=has_body),
            body=body if has_body else None,
            watched=body,
            ours=ours(),
            check=_check(secret, place, entrance),
            seconds=settings.ACCESS_CHECK_SECONDS,
        )


async def _socket(
    scope: Scope, receive: Receive, send: Send, request: HttpRequest, place: Place
) -> bool:
    """Serve a WebSocket; False when it never opened."""
    target = target_of(scope["raw_path"], scope["query_string"])
    # Whatever speaks from a browser says where its page is from; a socket has no other guard.
    if target is None or request.headers.get("Origin", "").lower() != _origin(request):
        return False
    secret = request.COOKIES.get(settings.PORT_COOKIE_NAME, "")
    try:
        entrance = await admitting.admitted(secret=secret, place=place)
        connected = proxying.connected(
            entrance.pod,
            port=place.port,
            target=target,
            headers=_told(scope, request, entrance, has_body=False),
            protocols=headers.protocols_of(scope.get("subprotocols") or ()),
        )
        with crowding.place_for(entrance.user.pk):
            async with connected as socket:
                await send({"type": "websocket.accept", "subprotocol": socket.protocol})
                await passing.pass_socket(
                    receive,
                    send,
                    socket=socket,
                    check=_check(secret, place, entrance),
                    seconds=settings.ACCESS_CHECK_SECONDS,
                )
    except (PortalError, ProvisioningError):
        return False
    return True


async def _enter(scope: Scope, send: Send, request: HttpRequest, place: Place) -> None:
    query = parse_qs(scope["query_string"].decode("latin-1"))
    ticket, onward = (query.get(word, [""])[0] for word in ("ticket", "next"))
    onward = quote(onward, safe="/?&=%:;,+$!*'()@~-._[]#")
    onward = onward if stays_here(onward) else "/"
    if not ticket and admitting.is_navigation(request):
        # Somebody wants to come in anew, as from the link to a notebook.
        await _send_to_portal(send, request, place, onward)
        return
    secret = await in_thread(
        tickets.redeem_ticket,
        ticket=ticket,
        nonce=request.COOKIES.get(settings.PORT_STATE_COOKIE_NAME, ""),
        place=place,
        at=timezone.now(),
    )
    cookie = _cookie(settings.PORT_COOKIE_NAME, secret, request, settings.PORT_SESSION_SECONDS)
    # Nobody but who has paid with a ticket is told the token, and no page hears where from.
    onward = await in_thread(notebooks.way_on, place=place, onward=onward)
    await _redirect(send, onward, cookie)


async def _send_to_portal(send: Send, request: HttpRequest, place: Place, target: str) -> None:
    nonce = request.COOKIES.get(settings.PORT_STATE_COOKIE_NAME) or secrets.token_urlsafe(32)
    to = (
        f"{settings.FARM_ADDRESS}/access/{place.instance_id}/{place.port}/"
        f"?state={tickets.state_of(nonce)}&next={quote(target, safe='')}"
    )
    cookie = _cookie(settings.PORT_STATE_COOKIE_NAME, nonce, request, STATE_SECONDS)
    await _redirect(send, to, cookie)


async def _redirect(send: Send, to: str, cookie: str) -> None:
    headers = [
        (b"location", to.encode("latin-1")),
        (b"set-cookie", cookie.encode("latin-1")),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def ours() -> frozenset[str]:
    """Return the names of cookies that are nobody else's."""
    return frozenset(
        {
            settings.PORT_COOKIE_NAME,
            settings.PORT_STATE_COOKIE_NAME,
            settings.SESSION_COOKIE_NAME,
            settings.CSRF_COOKIE_NAME,
        }
    )


def _told(
    scope: Scope, request: HttpRequest, entrance: Entrance, *, has_body: bool
) -> list[tuple[str, str]]:
    given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    told = headers.toward_instance(
        given,
        host=request.META["HTTP_HOST"].lower(),
        seen_as=entrance.pod.connection.host,
        scheme=request.scheme or "http",
        ours=ours(),
    )
    length = request.headers.get("Content-Length")
    return [*told, ("Content-Length", length)] if has_body and length else told


def _check(secret: str, place: Place, entrance: Entrance) -> Callable[..., None]:
    return partial(admitting.remain, secret=secret, place=place, attempt_no=entrance.pod.attempt_no)


def _origin(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.META.get('HTTP_HOST', '').lower()}"


def _cookie(name: str, value: str, request: HttpRequest, seconds: float) -> str:
    secure = "; Secure" if request.is_secure() else ""
    return f"{name}={value}; Max-Age={round(seconds)}; Path=/; HttpOnly; SameSite=Lax{secure}"
