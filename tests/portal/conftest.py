"""Calling the API as one of the cast, at noon."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.db import transaction
from rest_framework.test import APIClient

from portal.tenants import issuing
from portal.tenants.models import Tenant, User
from tests.factories.portal import NOON, TOMORROW
from tests.portal.staging import set_stage
from tests.portal.web.world import World

Calls = Callable[..., APIClient]


@pytest.fixture
def noon() -> Iterator[None]:
    """The clock stands still at noon; only surfaces look at it."""
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def api(noon: None) -> Calls:
    """A program that calls with an API token of somebody's."""

    def client_of(user: User, *, tenant: Tenant | None = None) -> APIClient:
        _, secret = issuing.issue_token(
            user=user, name="test", expires_at=TOMORROW, at=NOON, tenant=tenant
        )
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return client

    return client_of


@pytest.fixture(scope="module")
def stage(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The cast and Alice's tenant, set up once for a module that looks at them many times.

    Tests run inside its transaction, each in a savepoint of its own.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        with time_machine.travel(NOON, tick=False):
            yield set_stage()
        transaction.set_rollback(True)
