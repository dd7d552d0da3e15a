"""Decide whether a browser's request to a port of an instance goes through.

Asked on every request; a yes is kept for a few seconds, a no never.
"""

import hashlib
import time
from collections import OrderedDict
from datetime import datetime
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from portal.access import entering, tickets
from portal.access.entering import Entrance
from portal.access.hosts import Place
from portal.access.threads import in_thread
from portal.tenants.access import Action
from provisioning import exposing

MOST_KEPT: Final = 10_000
SAFE: Final = frozenset({"GET", "HEAD"})

_kept: OrderedDict[tuple[str, Place], tuple[float, Entrance]] = OrderedDict()


async def admitted(*, secret: str, place: Place) -> Entrance:
    """Return who visits which pod; raises what keeps them out."""
    key = (hashlib.sha256(secret.encode()).hexdigest(), place)
    until, entrance = _kept.get(key, (0.0, None))
    if entrance is not None and time.monotonic() < until:
        return entrance
    _kept.pop(key, None)
    entrance = await in_thread(admit, secret=secret, place=place, at=timezone.now())
    _kept[key] = (time.monotonic() + settings.ACCESS_CHECK_SECONDS, entrance)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return entrance


def admit(*, secret: str, place: Place, at: datetime) -> Entrance:
    """Ask the rows: the visit, the person, the port, the instance."""
    visit = tickets.visit_of(secret=secret, place=place, at=at)
    entrance = entering.enter(
        caller=visit.caller, instance_id=place.instance_id, action=Action.OPEN_PORT, at=at
    )
    exposing.require_open(instance_id=place.instance_id, port=place.port)
    return entrance


def remain(*, secret: str, place: Place, attempt_no: int, at: datetime) -> None:
    """Raise why somebody inside has to leave."""
    visit = tickets.visit_of(secret=secret, place=place, at=at)
    entering.remain(
        caller=visit.caller,
        instance_id=place.instance_id,
        action=Action.OPEN_PORT,
        attempt_no=attempt_no,
        at=at,
    )
    exposing.require_open(instance_id=place.instance_id, port=place.port)


def is_foreign(request: HttpRequest, *, own_origin: str) -> bool:
    """Say whether another origin's page makes this request; links to ours are welcome.

    Other instances may be of the same site, so that the browser sends our cookie along.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    if origin is not None and origin.lower() != own_origin:
        return True
    if site in ("none", "same-origin"):
        return False
    return not is_navigation(request)


def is_navigation(request: HttpRequest) -> bool:
    """Say whether somebody follows a link or types an address, in a window of its own."""
    mode, purpose = (request.headers.get(f"Sec-Fetch-{word}") for word in ("Mode", "Dest"))
    if mode is None:
        return request.method in SAFE and "text/html" in request.headers.get("Accept", "")
    return request.method in SAFE and (mode, purpose) == ("navigate", "document")


def forget_all() -> None:
    """Ask everybody again."""
    _kept.clear()
