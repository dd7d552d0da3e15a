"""The database of a test run: the product's two roles on a throwaway server."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import TestCase, TransactionTestCase

from tests.emptying import empty_tables

pytest_plugins = ["tests.cast", "tests.leaving", "tests.ordering", "tests.running"]

# Transactional tests are cleaned up over the owner's connection; the others only roll back.
TransactionTestCase.databases = frozenset({"default", "owner"})
TestCase.databases = frozenset({"default"})


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> None:
    """Migrate the empty database as its owner, as an installation does."""
    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0)


@pytest.fixture(scope="session", autouse=True)
def clean_up_as_owner() -> Iterator[None]:
    """Empty tables between transactional tests as the owner: the application may not TRUNCATE."""
    original = TransactionTestCase._fixture_teardown

    def teardown(self: TransactionTestCase) -> None:
        empty_tables()

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = original  # type: ignore[method-assign]
