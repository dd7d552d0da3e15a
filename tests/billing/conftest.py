"""Who and what billing's tests are about."""

import pytest

from billing.models import Account, Rate, Seller
from tests.factories import billing as factory


@pytest.fixture
def account(db: None) -> Account:
    """Alice's tenant, as billing knows it."""
    return factory.open_account()


@pytest.fixture
def neighbour(db: None) -> Account:
    """Charlie's."""
    return factory.open_account(name="Sori Lab")


@pytest.fixture
def seller(db: None) -> Seller:
    return factory.register_seller()


@pytest.fixture
def rate(db: None) -> Rate:
    """1,200 won an hour for an RNGD, in force since January."""
    return factory.price()
