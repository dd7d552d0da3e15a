"""From the month's use to an issued bill, and back by voiding it."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing import accounts, closing, invoicing, periods
from billing.errors import (
    CloseBlocked,
    IllegalState,
    InvoiceAlreadyIssued,
    NoSeller,
    NothingToInvoice,
)
from billing.models import Account, BillingPeriod, Invoice, Rate, Seller
from tests.factories import billing as factory
from tests.factories.billing import APRIL, LATER, MARCH, NOON

pytestmark = pytest.mark.usefixtures("seller", "rate")


@pytest.fixture
def march(account: Account) -> BillingPeriod:
    return periods.period_for(account=account, at=NOON)


def draft(period: BillingPeriod) -> Invoice:
    return invoicing.draft_invoice(
        period=period, at=LATER, project_names={7: "Harbour cameras", 8: "Night shift"}
    )


def issue(period: BillingPeriod) -> Invoice:
    return invoicing.issue_invoice(draft=draft(period), by="dana", at=LATER)


def test_seconds_become_lines_net_tax_and_total(account: Account, march: BillingPeriod) -> None:
    factory.record_use(account=account, seconds=3600)
    factory.record_use(account=account, seconds=1801, project_id=8, quantity=1)

    invoice = draft(march)

    lines = list(
        invoice.lines.values_list(
            "position", "project_name", "device_seconds", "hourly_rate", "net_amount", "tax_amount"
        )
    )
    assert lines == [
        (1, "Harbour cameras", 7200, Decimal(1200), 2400, 240),
        (2, "Night shift", 1801, Decimal(1200), 600, 60),
    ]
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (3000, 300, 3300)


def test_only_the_part_of_a_run_inside_the_month_is_billed(
    account: Account, march: BillingPeriod
) -> None:
    factory.record_use(
        account=account,
        started_at=MARCH - timedelta(seconds=1800),
        ended_at=MARCH + timedelta(seconds=1800),
        quantity=1,
    )
    factory.record_use(
        account=account,
        started_at=APRIL - timedelta(seconds=60),
        ended_at=APRIL + timedelta(seconds=60),
        quantity=1,
    )

    line = draft(march).lines.get()

    assert line.device_seconds == 1860
    assert (line.service_from, line.service_until) == (MARCH, APRIL)


def test_a_neighbours_use_is_not_on_the_bill(
    account: Account, neighbour: Account, march: BillingPeriod
) -> None:
    factory.record_use(account=account, seconds=3600)
    factory.record_use(account=neighbour, seconds=7200)

    assert draft(march).lines.get().device_seconds == 7200


def test_drawing_a_draft_again_replaces_it_under_the_same_id(
    account: Account, march: BillingPeriod
) -> None:
    factory.record_use(account=account, seconds=3600)
    first = draft(march)
    factory.record_use(account=account, seconds=3600)

    again = draft(march)

    assert (again.pk, again.net_amount) == (first.pk, 4800)
    assert Invoice.objects.count() == 1


def test_rating_a_month_twice_gives_the_same_lines(account: Account, march: BillingPeriod) -> None:
    for number in range(7):
        factory.record_use(account=account, seconds=100 + number, project_id=number % 3)

    def words(invoice: Invoice) -> list[dict[str, object]]:
        unlike = {"id"}
        rows = invoice.lines.values()
        return [{k: v for k, v in row.items() if k not in unlike} for row in rows]

    assert words(draft(march)) == words(draft(march))


def test_issuing_numbers_dates_and_closes(account: Account, march: BillingPeriod) -> None:
    factory.record_use(account=account, seconds=3600)

    invoice = issue(march)

    march.refresh_from_db()
    assert (invoice.state, invoice.number) == ("issued", "INV-2026-000001")
    assert (invoice.issued_on, invoice.due_on) == (date(2026, 4, 3), date(2026, 5, 3))
    assert (invoice.issued_by, march.closed_by) == ("dana", "dana")
    assert march.closed_at == LATER


def test_the_date_of_issue_is_the_korean_one(account: Account, march: BillingPeriod) -> None:
    factory.record_use(account=account, seconds=3600)
    at = LATER.replace(hour=23)

    invoice = invoicing.issue_invoice(draft=draft(march), by="dana", at=at)

    assert invoice.issued_on == date(2026, 4, 4)


def test_an_issued_bill_keeps_the_names_it_was_drafted_with(
    account: Account, march: BillingPeriod, seller: Seller
) -> None:
    factory.record_use(account=account, seconds=3600)
    invoice = issue(march)

    accounts.describe_payer(
        account=account, name="Renamed", business_number="", representative="", address="", email=""
    )
    factory.register_seller(name="Another Seller")

    invoice.refresh_from_db()
    assert (invoice.buyer_name, invoice.seller_name) == ("Bada Vision", seller.name)


def test_a_bill_inside_the_month_can_be_made_twice(account: Account) -> None:
    amounts = []
    for hour in (1, 2):
        factory.record_use(
            account=account, started_at=NOON + timedelta(hours=hour - 1), seconds=1800 * hour
        )
        at = NOON + timedelta(hours=hour)
        part = periods.cut_period(account=account, at=at)
        invoice = invoicing.issue_invoice(
            draft=invoicing.draft_invoice(period=part, at=at), by="dana", at=at
        )
        amounts.append((invoice.number, invoice.net_amount))

    assert amounts == [("INV-2026-000001", 1200), ("INV-2026-000002", 2400)]


def test_a_cut_through_a_running_instance_bills_each_second_once(account: Account) -> None:
    factory.record_use(account=account, seconds=7200, quantity=1)
    first = periods.cut_period(account=account, at=NOON + timedelta(seconds=1000))
    rest = periods.period_for(account=account, at=NOON + timedelta(seconds=1000))

    billed = [draft(each).lines.get().device_seconds for each in (first, rest)]

    assert billed == [1000, 6200]


def test_a_second_bill_for_the_same_period_is_refused(
    account: Account, march: BillingPeriod
) -> None:
    factory.record_use(account=account, seconds=3600)
    invoice = issue(march)

    with pytest.raises(InvoiceAlreadyIssued):
        draft(march)
    with pytest.raises(IllegalState):
        invoicing.issue_invoice(draft=invoice, by="dana", at=LATER)

    assert Invoice.objects.get().number == "INV-2026-000001"


def test_nothing_used_is_nothing_to_invoice(march: BillingPeriod) -> None:
    with pytest.raises(NothingToInvoice):
        draft(march)

    assert not Invoice.objects.exists()


def test_an_unused_period_is_closed_without_a_bill(march: BillingPeriod) -> None:
    closed = closing.close_unused(period=march, by="dana", at=LATER)

    assert (closed.closed_at, closed.closed_by) == (LATER, "dana")
    with pytest.raises(IllegalState):
        closing.close_unused(period=march, by="dana", at=LATER)


def test_a_used_period_is_closed_by_its_bill_only(account: Account, march: BillingPeriod) -> None:
    factory.record_use(account=account, seconds=3600)

    with pytest.raises(IllegalState):
        closing.close_unused(period=march, by="dana", at=LATER)


def test_use_without_any_price_is_not_nothing(account: Account, march: BillingPeriod) -> None:
    factory.record_use(account=account, seconds=3600, sku_code="unpriced")

    with pytest.raises(CloseBlocked) as blocked:
        draft(march)

    assert [each.code for each in blocked.value.exceptions] == ["unpriced"]


def test_voiding_keeps_the_number_and_lets_the_period_be_billed_anew(
    account: Account, march: BillingPeriod
) -> None:
    factory.record_use(account=account, seconds=3600)
    first = issue(march)

    invoicing.void_invoice(invoice=first, by="dana", at=LATER)
    second = issue(march)

    first.refresh_from_db()
    assert (first.state, first.number, first.voided_by) == ("void", "INV-2026-000001", "dana")
    assert second.number == "INV-2026-000002"


def test_a_draft_is_not_voided(account: Account, march: BillingPeriod) -> None:
    factory.record_use(account=account, seconds=3600)

    with pytest.raises(IllegalState):
        invoicing.void_invoice(invoice=draft(march), by="dana", at=LATER)


def test_many_periods_are_drafted_at_once_and_unused_ones_get_none(
    account: Account, neighbour: Account, rate: Rate
) -> None:
    idle = factory.open_account(name="Idle")
    factory.record_use(account=account, seconds=3600)
    factory.record_use(account=neighbour, seconds=1800)
    months = [periods.period_for(account=each, at=NOON) for each in (account, neighbour, idle)]

    drafts = invoicing.draft_invoices(periods=months, at=LATER)

    assert [(each.account, each.net_amount) for each in drafts] == [
        (account, 2400),
        (neighbour, 1200),
    ]


def test_without_a_seller_nothing_is_drafted(account: Account, march: BillingPeriod) -> None:
    Seller.objects.update(is_active=False)
    factory.record_use(account=account, seconds=3600)

    with pytest.raises(NoSeller):
        draft(march)
