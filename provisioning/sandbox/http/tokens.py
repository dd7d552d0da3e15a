"""Who holds the token may pass."""

import base64
import binascii
import hmac

from provisioning.sandbox import errors
from provisioning.sandbox.http.requests import Request


def check(request: Request, token: str) -> None:
    """Refuse whoever does not show the token."""
    if not hmac.compare_digest(_shown(request).encode(), token.encode()):
        raise errors.unauthorized()


def _shown(request: Request) -> str:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given
    # kubectl shows no token without TLS, but it does show the password of a URL.
    return _password(given) if scheme.lower() == "basic" else ""


def _password(given: str) -> str:
    try:
        return base64.b64decode(given).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
