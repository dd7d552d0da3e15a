"""The guards themselves cannot be passed by or taken away."""

import pytest
from django.db import DatabaseError, ProgrammingError, connection, transaction

from billing.models import Invoice

pytestmark = pytest.mark.usefixtures("seller", "rate")

LEDGER_TABLES = [
    "billing_usageinterval",
    "billing_witness",
    "billing_quarantinedfact",
    "billing_rate",
    "billing_accountbook",
    "billing_billingperiod",
    "billing_numberseries",
    "billing_invoice",
    "billing_invoiceline",
    "billing_invoicefile",
]


@pytest.mark.parametrize("table", LEDGER_TABLES)
def test_no_table_can_be_truncated(issued: Invoice, table: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE billing_invoice DISABLE TRIGGER ALL",
        "DROP TRIGGER billing_invoice_guard ON billing_invoice",
        "DROP TABLE billing_invoicefile",
        "ALTER TABLE billing_invoice DROP CONSTRAINT billing_invoice_total_adds_up",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION billing_guard_lines() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NULL; END'",
    ],
)
def test_the_guards_cannot_be_removed(issued: Invoice, statement: str) -> None:
    with pytest.raises(DatabaseError, match=r"must be owner|permission denied"):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
