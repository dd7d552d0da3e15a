"""An issued invoice and a draft, before attackers who are the product's own role."""

import pytest
from django.db import connection

from billing import documents, invoicing, periods
from billing.models import Account, Invoice
from tests.factories import billing as factory
from tests.factories.billing import LATER, NOON


@pytest.fixture
def issued(account: Account) -> Invoice:
    """An issued invoice of one line, with a file."""
    factory.record_use(account=account, seconds=3600)
    period = periods.period_for(account=account, at=NOON)
    draft = invoicing.draft_invoice(period=period, at=LATER)
    invoice = invoicing.issue_invoice(draft=draft, by="dana", at=LATER)
    documents.file_of(invoice, "csv", "ko")
    return invoice


@pytest.fixture
def draft(neighbour: Account) -> Invoice:
    """A neighbour's draft, free to change."""
    factory.record_use(account=neighbour, seconds=3600)
    period = periods.period_for(account=neighbour, at=NOON)
    return invoicing.draft_invoice(period=period, at=LATER)


@pytest.fixture(autouse=True)
def attackers_own_nothing(db: None) -> None:
    """They connect as the role the product runs as."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, count(*) FILTER (WHERE tableowner = current_user) FROM pg_tables"
        )
        assert cursor.fetchone() == ("farm_app", 0)
