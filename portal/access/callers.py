"""Who stands at a door that is not a page: a browser with a session, or a program with a token.

A `Caller` is kept for as long as the door is open and asked again and again whether it is
still that person: `person_of` looks at the session, the password and the token anew.
"""

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.utils.module_loading import import_string

from portal.access.errors import SignedOut
from portal.tenants import issuing
from portal.tenants.models import User


@dataclass(frozen=True)
class Caller:
    """What somebody showed at the door."""

    session_key: str = ""
    token: str = ""

    @property
    def is_program(self) -> bool:
        """Whether it came with a token, which no foreign page can make a browser send."""
        return bool(self.token)


def request_of(scope: Any) -> HttpRequest:
    """Read the headers as a page would; nothing of the body."""
    is_secure = scope["scheme"] in ("https", "wss")
    plain = {"method": "GET", **scope, "type": "http", "scheme": "https" if is_secure else "http"}
    return ASGIRequest(plain, BytesIO())


def caller_of(request: HttpRequest) -> Caller:
    """Return who calls; a token stands before a session."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return Caller(token=secret.strip())
    return Caller(session_key=request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""))


def comes_from_portal(request: HttpRequest) -> bool:
    """Say whether the page that calls is one of the portal's own."""
    origin = request.headers.get("Origin", "")
    try:
        own = f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:
        return False
    return origin == own or origin in settings.CSRF_TRUSTED_ORIGINS


def person_of(caller: Caller, *, at: datetime) -> User:
    """Return who it is; raises `SignedOut`."""
    if caller.is_program:
        user = issuing.bearer_of(secret=caller.token, at=at)
    else:
        user = _signed_in(caller.session_key)
    if user is None or not user.is_active:
        raise SignedOut
    return user


def _signed_in(session_key: str) -> User | None:
    if not session_key:
        return None
    request = HttpRequest()
    request.session = _session(session_key)
    # Compares with the password too: whoever changes it ends every other session.
    user = get_user(request)
    return user if isinstance(user, User) else None


def _session(key: str) -> SessionBase:
    store: SessionBase = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(key)
    return store
