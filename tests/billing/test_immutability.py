"""R7: what was issued, measured or in force stays, against raw SQL as the application's role."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, ProgrammingError, connection, transaction

from billing import documents, invoicing, metering, periods
from billing.constraints import violated
from billing.metering import EndQuality
from billing.models import Account, Invoice, UsageInterval
from tests.factories import billing as factory
from tests.factories.billing import LATER, NOON

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
def nothing_changed(db: None) -> Iterator[None]:
    """The attackers connect as the role the product runs as: it owns nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, count(*) FILTER (WHERE tableowner = current_user) FROM pg_tables"
        )
        assert cursor.fetchone() == ("farm_app", 0)
    return


def attack(statement: str, *parameters: object) -> str:
    """Try a statement; returns the constraint that refused it, and fails if nothing did."""
    with pytest.raises(IntegrityError) as refusal:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
    return violated(refusal.value)


def allow(statement: str, *parameters: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount == 1


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


def test_a_sku_is_kept() -> None:
    factory.add_sku("never-used")

    assert attack("DELETE FROM billing_sku WHERE code = 'never-used'") == "billing_sku_kept"


@pytest.mark.parametrize("last_number", ["last_number - 1", "last_number + 2", "last_number"])
def test_a_series_counts_one_by_one(issued: Invoice, last_number: str) -> None:
    statement = f"UPDATE billing_numberseries SET last_number = {last_number}"

    assert attack(statement) == "billing_series_counts_one_by_one"
    assert attack("DELETE FROM billing_numberseries")


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


def test_a_billed_period_keeps_its_span(issued: Invoice) -> None:
    refused_by = attack(
        "UPDATE billing_billingperiod "
        "SET span = tstzrange(lower(span), upper(span) + interval '1 day') WHERE id = %s",
        issued.period_id,
    )

    assert refused_by == "billing_period_is_closed"


def test_a_billed_period_keeps_its_span_even_when_reopened_by_hand(issued: Invoice) -> None:
    allow("UPDATE billing_billingperiod SET closed_at = NULL WHERE id = %s", issued.period_id)

    refused_by = attack(
        "UPDATE billing_billingperiod "
        "SET span = tstzrange(lower(span), upper(span) - interval '1 day') WHERE id = %s",
        issued.period_id,
    )

    assert refused_by == "billing_period_is_closed"


@pytest.mark.parametrize(
    ("change", "refused_by"),
    [
        ("ended_at = ended_at + interval '1 hour'", "billing_usage_exact_end_is_fixed"),
        ("ended_at = ended_at - interval '1 hour'", "billing_usage_exact_end_is_fixed"),
        ("end_quality = 'bounded'", "billing_usage_exact_end_is_fixed"),
        ("ended_at = NULL, end_quality = NULL", "billing_usage_exact_end_is_fixed"),
        ("started_at = started_at + interval '1 second'", "billing_usage_start_is_fixed"),
        ("quantity = 1", "billing_usage_start_is_fixed"),
        ("project_id = 1", "billing_usage_start_is_fixed"),
        ("resource_ref = 'other'", "billing_usage_start_is_fixed"),
        ("opened_at = now()", "billing_usage_start_is_fixed"),
        ("witness_id = NULL", "billing_usage_witness_is_fixed"),
    ],
)
def test_a_closed_interval_does_not_change(account: Account, change: str, refused_by: str) -> None:
    factory.record_use(account=account, seconds=3600)

    assert attack(f"UPDATE billing_usageinterval SET {change}") == refused_by


def test_an_interval_is_neither_reopened_nor_deleted(account: Account) -> None:
    factory.record_use(account=account, seconds=3600, end_quality=EndQuality.BOUNDED)

    reopen = "UPDATE billing_usageinterval SET ended_at = NULL, end_quality = NULL"
    assert attack(reopen) == "billing_usage_stays_closed"
    assert attack("DELETE FROM billing_usageinterval") == "billing_usage_kept"
    assert UsageInterval.objects.count() == 1


@pytest.mark.parametrize(
    "moment",
    [NOON + timedelta(microseconds=1), NOON + timedelta(milliseconds=500)],
)
def test_the_ledger_holds_whole_seconds(account: Account, moment: object) -> None:
    factory.record_use(account=account)

    refused_by = attack(
        "UPDATE billing_usageinterval SET ended_at = %s, end_quality = 'exact'", moment
    )

    assert refused_by == "billing_usage_whole_seconds"


def test_a_proof_is_never_taken_back(account: Account) -> None:
    metering.vouch(source=1, ref="node-1/boot-1", proved_until=NOON)

    earlier = "UPDATE billing_witness SET proved_until = proved_until - interval '1 second'"
    assert attack(earlier) == "billing_witness_never_falls"
    assert attack("UPDATE billing_witness SET proved_until = NULL") == "billing_witness_never_falls"
    assert attack("DELETE FROM billing_witness") == "billing_witness_kept"


def test_a_quarantined_fact_is_evidence(account: Account) -> None:
    strange = factory.run_fact(account=account, seconds=60, sku_code="no-such-sku")
    metering.record_run(fact=strange, at=LATER)

    doctor = "UPDATE billing_quarantinedfact SET fact = '{}'"
    assert attack(doctor) == "billing_quarantined_is_kept"
    assert attack("DELETE FROM billing_quarantinedfact") == "billing_quarantined_kept"


@pytest.mark.parametrize(
    "change",
    [
        "hourly_rate = 1",
        "valid = tstzrange(lower(valid) + interval '1 day', upper(valid))",
        "valid = tstzrange(lower(valid) - interval '1 day', upper(valid))",
        "valid = tstzrange(lower(valid), date_trunc('second', now()) - interval '1 minute')",
    ],
)
def test_a_rate_in_force_does_not_change(change: str) -> None:
    assert attack(f"UPDATE billing_rate SET {change}") == "billing_rate_in_force"


def test_a_rate_in_force_is_not_deleted() -> None:
    assert attack("DELETE FROM billing_rate") == "billing_rate_in_force"


def test_the_end_of_a_rate_in_force_moves_in_the_future_only() -> None:
    soon = "date_trunc('second', now()) + interval '1 day'"
    allow(f"UPDATE billing_rate SET valid = tstzrange(lower(valid), {soon})")
    allow("UPDATE billing_rate SET valid = tstzrange(lower(valid), NULL)")


def test_a_rate_that_is_over_is_not_brought_back() -> None:
    factory.price(sku_code="old", valid_until=NOON)

    refused_by = attack(
        "UPDATE billing_rate SET valid = tstzrange(lower(valid), NULL) WHERE NOT upper_inf(valid)"
    )

    assert refused_by == "billing_rate_in_force"


def test_a_planned_rate_may_change_but_not_slip_into_the_past() -> None:
    planned = "tstzrange(date_trunc('second', now()) + interval '1 day', NULL)"
    other = factory.add_sku("planned").pk
    allow(
        "INSERT INTO billing_rate (book_id, sku_id, valid, hourly_rate) "
        f"SELECT book_id, %s, {planned}, 5 FROM billing_rate",
        other,
    )
    allow("UPDATE billing_rate SET hourly_rate = 6 WHERE sku_id = %s", other)

    refused_by = attack(
        "UPDATE billing_rate SET valid = tstzrange(date_trunc('second', now()) - '1 day'::interval,"
        " NULL) WHERE sku_id = %s",
        other,
    )

    assert refused_by == "billing_rate_in_force"
    allow("DELETE FROM billing_rate WHERE sku_id = %s", other)


def test_an_accounts_past_book_does_not_change(account: Account) -> None:
    change = "UPDATE billing_accountbook SET valid = tstzrange(NULL, '2026-01-01 00:00+00')"

    assert attack(change) == "billing_accountbook_in_force"
    assert attack("DELETE FROM billing_accountbook") == "billing_accountbook_in_force"
