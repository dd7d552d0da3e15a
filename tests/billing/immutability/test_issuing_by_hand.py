"""An invoice is issued by the product's own steps or not at all."""

import pytest
from django.db import IntegrityError, connection, transaction

from billing.constraints import violated
from billing.models import Invoice
from tests.billing.immutability.attacking import allow, attack

pytestmark = pytest.mark.usefixtures("seller", "rate")


def test_an_invoice_is_not_born_issued(issued: Invoice) -> None:
    columns = [field.column for field in Invoice._meta.concrete_fields]
    fresh = [
        {"id": "gen_random_uuid()", "number": "'INV-2026-000777'", "revision": "1"}.get(name, name)
        for name in columns
    ]

    refused_by = attack(
        f"INSERT INTO billing_invoice ({', '.join(columns)}) "
        f"SELECT {', '.join(fresh)} FROM billing_invoice WHERE id = %s",
        issued.pk,
    )

    assert refused_by == "billing_invoice_begins_as_draft"


ISSUE_BY_HAND = """
    UPDATE billing_invoice SET state = 'issued', number = %s, issued_at = now(),
        issued_on = current_date, due_on = current_date, issued_by = 'nobody',
        series_id = (SELECT id FROM billing_numberseries), net_amount = %s,
        total_amount = %s + tax_amount
    WHERE id = %s
"""


@pytest.mark.parametrize("number", ["INV-2026-000001", "INV-2026-000777", "FREE-1"])
def test_a_number_is_drawn_and_never_made_up(issued: Invoice, draft: Invoice, number: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_numberseries SET last_number = last_number + 1")

    refused_by = attack(ISSUE_BY_HAND, number, draft.net_amount, draft.net_amount, draft.pk)

    assert refused_by == "billing_invoice_number_is_drawn"


def test_an_invoice_that_is_not_its_lines_is_not_issued(issued: Invoice, draft: Invoice) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_numberseries SET last_number = last_number + 1")

    refused_by = attack(ISSUE_BY_HAND, "INV-2026-000002", 1, 1, draft.pk)

    assert refused_by == "billing_invoice_is_its_lines"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_invoice_is_not_issued_from_an_older_snapshot(
    issued: Invoice, draft: Invoice, level: str
) -> None:
    """It would not see a line that somebody has added since."""
    net = draft.net_amount
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        cursor.execute("UPDATE billing_numberseries SET last_number = last_number + 1")
        with pytest.raises(IntegrityError) as refusal:
            cursor.execute(ISSUE_BY_HAND, ["INV-2026-000002", net, net, draft.pk])
        transaction.set_rollback(True)
    assert violated(refusal.value) == "billing_invoice_sees_its_lines"


def test_a_line_with_a_price_no_book_knows_is_not_issued(issued: Invoice, draft: Invoice) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_numberseries SET last_number = last_number + 1")
    allow("UPDATE billing_invoiceline SET rate_id = 987654 WHERE invoice_id = %s", draft.pk)

    refused_by = attack(
        ISSUE_BY_HAND, "INV-2026-000002", draft.net_amount, draft.net_amount, draft.pk
    )

    assert refused_by == "billing_invoice_has_known_rates"


@pytest.mark.parametrize("last_number", ["last_number - 1", "last_number + 2", "last_number"])
def test_a_series_counts_one_by_one(issued: Invoice, last_number: str) -> None:
    statement = f"UPDATE billing_numberseries SET last_number = {last_number}"

    assert attack(statement) == "billing_series_counts_one_by_one"
    assert attack("DELETE FROM billing_numberseries")
