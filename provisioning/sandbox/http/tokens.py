"""Who holds the token may pass."""

import hmac

from provisioning.sandbox import errors
from provisioning.sandbox.http.requests import Request


def check(request: Request, token: str) -> None:
    """Refuse whoever does not show the token."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        raise errors.unauthorized()
