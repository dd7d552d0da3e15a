"""Looking at pages as one of the cast, in the afternoon of the day everything happened at noon."""

from collections.abc import Callable, Iterator

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from portal.tenants.models import Project, User
from portal.web import translating
from tests.factories import portal as factory
from tests.factories.portal import Catalog
from tests.portal.web.world import World

Visits = Callable[..., Client]


@pytest.fixture(scope="session", autouse=True)
def catalogues() -> None:
    """The committed translations, compiled as an installation does it."""
    translating.compile_catalogues()


@pytest.fixture
def afternoon() -> Iterator[None]:
    """The clock stands still at two hours past noon."""
    with time_machine.travel(factory.AFTERNOON, tick=False):
        yield


@pytest.fixture
def visit(afternoon: None) -> Visits:
    """A browser in which somebody has signed in, or nobody."""

    def browser_of(user: User | None = None, *, language: str = "en") -> Client:
        client = Client()
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        if user is not None:
            client.force_login(user)
        return client

    return browser_of


@pytest.fixture
def world(
    alice: User,
    bob: User,
    charlie: User,
    dana: User,
    erin: User,
    granted: Project,
    catalog: Catalog,
) -> World:
    """Alice's tenant, the staff, and Charlie from elsewhere."""
    people = {"alice": alice, "bob": bob, "charlie": charlie, "dana": dana, "erin": erin}
    return World(people=people, project=granted, catalog=catalog)
