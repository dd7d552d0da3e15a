"""Who calls: `Authorization: Bearer …` becomes the person the token was issued to."""

from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from portal.tenants import issuing
from portal.tenants.models import User


class TokenAuthentication(BaseAuthentication):
    """Knows programs by their API token; people come with a session instead."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """Answer who calls; no bearer token is no answer, a wrong one is a refusal."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        user = issuing.bearer_of(secret=secret.strip(), at=timezone.now())
        if user is None:
            raise AuthenticationFailed("This token opens nothing.", code="invalid_token")
        return user, None

    def authenticate_header(self, request: Request) -> str:
        """Make a refusal 401, not 403."""
        return 'Bearer realm="npu-farm"'


def describe_scheme() -> dict[str, Any]:
    """Say in OpenAPI terms how a token is sent."""
    return {"type": "http", "scheme": "bearer", "description": "An API token: `npu_…`."}
