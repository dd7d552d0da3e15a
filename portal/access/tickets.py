"""Take a signed-in person from the portal to the host of an instance's port.

The two share no cookie, so the portal writes a ticket: for one person, one session, one
port, one browser (the nonce it has kept), for half a minute, for once.  The port's host
buys a session of its own for it, which stands on the portal's and falls with it.  A ticket
is signed and sealed: pages of the instance may see it pass, and it names a session.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from portal.access import callers
from portal.access.callers import Caller
from portal.access.errors import SignedOut, TicketRefused
from portal.access.hosts import Place
from portal.access.models import PortSession
from portal.tenants.access import Action
from portal.tenants.scoping import instance_for
from provisioning import exposing
from provisioning.models import Instance


@dataclass(frozen=True)
class Visit:
    """What a port session stands for."""

    caller: Caller
    place: Place
    expires_at: datetime


def issue_ticket(*, session_key: str, user_id: int, place: Place, state: str, at: datetime) -> str:
    """Write a ticket for the browser that keeps the nonce of this state."""
    content = [str(uuid4()), user_id, session_key, str(place.instance_id), place.port, state]
    sealed = _seal().encrypt_at_time(json.dumps(content).encode(), int(at.timestamp()))
    return sealed.decode()


def redeem_ticket(*, ticket: str, nonce: str, place: Place, at: datetime) -> str:
    """Buy a port session; returns the secret for its cookie.  Raises `TicketRefused`."""
    ticket_id, user_id, session_key, instance_id, port, state = _read(ticket, at=at)
    if place != Place(UUID(instance_id), port) or not _is_same(state, state_of(nonce)):
        raise TicketRefused
    user = callers.person_of(Caller(session_key=session_key), at=at)
    if user.pk != user_id:
        raise TicketRefused
    instance = instance_for(user, place.instance_id, Action.OPEN_PORT)
    exposing.require_open(instance_id=place.instance_id, port=port)
    secret = secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            PortSession.objects.create(
                ticket_id=UUID(ticket_id),
                digest=_digest(secret),
                user=user,
                portal_session_key=session_key,
                instance=instance,
                port=port,
                opened_at=at,
                expires_at=at + timedelta(seconds=settings.PORT_SESSION_SECONDS),
            )
    except IntegrityError as error:
        raise TicketRefused from error
    return secret


def visit_of(*, secret: str, place: Place, at: datetime) -> Visit:
    """Return whose visit a cookie is; raises `SignedOut` when it is none to this place."""
    row = PortSession.objects.filter(
        digest=_digest(secret), instance_id=place.instance_id, port=place.port, expires_at__gt=at
    ).first()
    if row is None:
        raise SignedOut
    return Visit(Caller(session_key=row.portal_session_key), place, row.expires_at)


def visits_of(instance: Instance, *, most: int = 50) -> list[PortSession]:
    """Return who came to its ports, the latest first."""
    return list(PortSession.objects.filter(instance=instance).select_related("user")[:most])


def state_of(nonce: str) -> str:
    """Return what a nonce is called in addresses, where others may see it."""
    return _digest(nonce) if nonce else ""


def _read(ticket: str, *, at: datetime) -> tuple[str, int, str, str, int, str]:
    try:
        found = _seal().decrypt_at_time(ticket, settings.TICKET_SECONDS, int(at.timestamp()))
    except (InvalidToken, ValueError) as error:
        raise TicketRefused from error
    ticket_id, user_id, session_key, instance_id, port, state = json.loads(found)
    return ticket_id, user_id, session_key, instance_id, port, state


def _seal() -> Fernet:
    key = salted_hmac("portal.access.tickets", "", algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(key))


def _is_same(one: str, other: str) -> bool:
    return bool(one) and secrets.compare_digest(one.encode(), other.encode())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
