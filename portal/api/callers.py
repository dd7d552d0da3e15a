"""The person behind a call."""

from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from portal.tenants.errors import Forbidden
from portal.tenants.models import User


def caller(request: Request) -> User:
    """Who calls; nobody gets past the door of the API without being somebody."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user


def whole_caller(request: Request) -> User:
    """Who calls, with all they may; a key to one tenant opens nothing beside it."""
    user = caller(request)
    if user.confined_to is not None:
        raise Forbidden
    return user
