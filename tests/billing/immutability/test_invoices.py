"""An issued invoice, its lines and its files stay as they are; a draft may change."""

import pytest
from django.db import IntegrityError, connection, transaction

from billing.constraints import violated
from billing.models import Invoice
from tests.billing.immutability.attacking import allow, attack

pytestmark = pytest.mark.usefixtures("seller", "rate")


@pytest.mark.parametrize(
    "change",
    [
        "net_amount = 1, total_amount = 1 + tax_amount",
        "tax_amount = 0, total_amount = net_amount",
        "number = 'INV-2026-000777'",
        "buyer_name = 'Somebody Else'",
        "seller_bank_account = 'Elsewhere 1'",
        "issued_at = issued_at + interval '1 day'",
        "due_on = due_on + 30",
        "revision = 1",
        "id = gen_random_uuid()",
        "voided_by = 'nobody'",
        "state = 'draft', number = NULL, series_id = NULL, issued_at = NULL",
        "state = 'draft'",
    ],
)
def test_an_issued_invoice_does_not_change(issued: Invoice, change: str) -> None:
    before = Invoice.objects.values().get(pk=issued.pk)

    assert attack(f"UPDATE billing_invoice SET {change} WHERE id = %s", issued.pk) in {
        "billing_invoice_is_final",
        "billing_invoice_legal_transition",
    }

    assert Invoice.objects.values().get(pk=issued.pk) == before


def test_an_issued_invoice_is_not_deleted(issued: Invoice) -> None:
    refused_by = attack("DELETE FROM billing_invoice WHERE id = %s", issued.pk)

    assert refused_by == "billing_invoice_is_final"


@pytest.mark.parametrize("state", ["paid", "uncollectible", "void"])
def test_the_state_moves_on_once_and_never_back(issued: Invoice, state: str) -> None:
    allow("UPDATE billing_invoice SET state = %s WHERE id = %s", state, issued.pk)

    for other in {"draft", "issued", "paid", "uncollectible", "void"} - {state}:
        refused_by = attack("UPDATE billing_invoice SET state = %s WHERE id = %s", other, issued.pk)
        assert refused_by == "billing_invoice_legal_transition"


@pytest.mark.parametrize(
    "change",
    [
        "net_amount = net_amount + 1",
        "tax_amount = 0",
        "device_seconds = 1",
        "hourly_rate = 1",
        "project_name = 'Another'",
        "position = 9",
    ],
)
def test_the_lines_of_an_issued_invoice_do_not_change(issued: Invoice, change: str) -> None:
    statement = f"UPDATE billing_invoiceline SET {change} WHERE invoice_id = %s"

    assert attack(statement, issued.pk) == "billing_line_is_final"


def test_the_lines_of_an_issued_invoice_are_not_deleted(issued: Invoice) -> None:
    statement = "DELETE FROM billing_invoiceline WHERE invoice_id = %s"

    assert attack(statement, issued.pk) == "billing_line_is_final"


COPY_LINE = """
    INSERT INTO billing_invoiceline (invoice_id, position, project_id, project_name, sku_id,
        sku_code, sku_name, rate_id, hourly_rate, device_seconds, net_amount, tax_amount,
        service_from, service_until)
    SELECT %s, 99, project_id, project_name, sku_id, sku_code, sku_name, rate_id, hourly_rate,
        device_seconds, net_amount, tax_amount, service_from, service_until
    FROM billing_invoiceline LIMIT 1
"""


def test_no_line_is_added_to_an_issued_invoice(issued: Invoice) -> None:
    assert attack(COPY_LINE, issued.pk) == "billing_line_is_final"


def test_no_line_is_moved_into_or_out_of_an_issued_invoice(issued: Invoice, draft: Invoice) -> None:
    move = "UPDATE billing_invoiceline SET invoice_id = %s, position = 99 WHERE invoice_id = %s"

    assert attack(move, issued.pk, draft.pk) == "billing_line_is_final"
    assert attack(move, draft.pk, issued.pk) == "billing_line_is_final"


def test_a_table_of_the_same_name_does_not_fool_the_guard(issued: Invoice, draft: Invoice) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE billing_invoice ON COMMIT DROP AS "
            "SELECT * FROM public.billing_invoice WHERE false"
        )

    with pytest.raises(IntegrityError) as refusal:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE public.billing_invoiceline SET net_amount = 1 WHERE invoice_id = %s",
                [issued.pk],
            )
    assert violated(refusal.value) == "billing_line_is_final"


def test_a_draft_and_its_lines_may_change(draft: Invoice) -> None:
    allow(COPY_LINE, draft.pk)
    allow("UPDATE billing_invoiceline SET project_name = 'x' WHERE position = 99")
    allow("DELETE FROM billing_invoiceline WHERE position = 99")
    allow("UPDATE billing_invoice SET buyer_name = 'x' WHERE id = %s", draft.pk)


def test_a_file_stays_as_it_was_sent(issued: Invoice) -> None:
    assert attack("UPDATE billing_invoicefile SET content = 'forged'") == "billing_file_kept"
    assert attack("DELETE FROM billing_invoicefile") == "billing_file_kept"


def test_a_draft_gets_no_file(draft: Invoice) -> None:
    refused_by = attack(
        "INSERT INTO billing_invoicefile (invoice_id, format, language, content, sha256) "
        "VALUES (%s, 'pdf', 'ko', 'x', 'x')",
        draft.pk,
    )

    assert refused_by == "billing_file_of_issued_invoice"
