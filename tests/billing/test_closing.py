"""The close gate: nothing is issued while meter, prices and draft do not agree."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from billing import adjustments, closing, invoicing, metering, periods, pricing, quarantining
from billing.errors import CloseBlocked
from billing.models import Account, BillingPeriod, Invoice, QuarantinedFact, Rate
from tests.factories import billing as factory
from tests.factories.billing import APRIL, LATER, NOON

pytestmark = pytest.mark.usefixtures("seller", "rate")


@pytest.fixture
def march(account: Account) -> BillingPeriod:
    """A month with one clean hour of two devices."""
    factory.record_use(account=account, seconds=3600)
    return periods.period_for(account=account, at=NOON)


def codes(period: BillingPeriod, at: datetime = LATER) -> list[str]:
    return [each.code.value for each in closing.exceptions_of(period=period, at=at)]


def refused(period: BillingPeriod, at: datetime = LATER) -> list[str]:
    """What an attempt to issue is refused for; nothing may have changed by it."""
    draft = invoicing.draft_invoice(period=period, at=at)
    with pytest.raises(CloseBlocked) as blocked:
        invoicing.issue_invoice(draft=draft, by="dana", at=at)
    draft.refresh_from_db()
    period.refresh_from_db()
    assert (draft.state, draft.number, period.closed_at) == ("draft", None, None)
    return [each.code.value for each in blocked.value.exceptions]


def test_a_clean_month_has_no_exception(march: BillingPeriod) -> None:
    assert codes(march) == []


def test_a_month_is_not_issued_before_it_is_over(march: BillingPeriod) -> None:
    assert refused(march, at=APRIL - timedelta(seconds=1)) == ["period_not_over"]
    assert codes(march, at=APRIL) == []


def test_an_open_interval_without_proof_to_the_end_blocks(
    account: Account, march: BillingPeriod
) -> None:
    factory.record_use(account=account, resource_ref="instance-9", quantity=3)
    metering.vouch(source=1, ref="node-1/boot-1", proved_until=APRIL - timedelta(seconds=10))

    assert refused(march) == ["no_evidence"]
    exception = closing.exceptions_of(period=march, at=LATER)[0]
    assert (exception.ref, exception.seconds) == ("instance-9", 30)


def test_an_instance_still_running_with_proof_up_to_the_end_does_not_block(
    account: Account, march: BillingPeriod
) -> None:
    factory.record_use(account=account)
    metering.vouch(source=1, ref="node-1/boot-1", proved_until=APRIL)

    assert codes(march) == []


def test_an_interval_that_starts_later_does_not_block(
    account: Account, march: BillingPeriod
) -> None:
    factory.record_use(account=account, started_at=APRIL)

    assert codes(march) == []


def test_a_quarantined_fact_blocks_until_somebody_answers(
    account: Account, march: BillingPeriod
) -> None:
    strange = factory.run_fact(account=account, seconds=60, sku_code="no-such-sku")
    kept = metering.record_run(fact=strange, at=LATER)
    assert isinstance(kept, QuarantinedFact)

    assert refused(march) == ["quarantined"]
    quarantining.resolve_fact(quarantined=kept, by="dana", resolution="a test", at=LATER)
    assert codes(march) == []


def test_a_fact_of_nobody_known_blocks_everybody(account: Account, march: BillingPeriod) -> None:
    fact = factory.run_fact(account=account, seconds=60)
    metering.record_run(fact=replace(fact, account_id=987654321), at=LATER)

    assert codes(march) == ["quarantined"]


@pytest.mark.parametrize(
    ("offset", "length", "blocks"),
    [
        (timedelta(days=-40), timedelta(minutes=1), False),
        (timedelta(days=20), timedelta(minutes=1), False),
        (timedelta(days=-40), None, True),
        (timedelta(0), timedelta(0), True),
        (timedelta(0), timedelta(minutes=-1), True),
    ],
)
def test_a_quarantined_fact_blocks_the_months_it_touches(
    account: Account,
    march: BillingPeriod,
    offset: timedelta,
    length: timedelta | None,
    blocks: bool,
) -> None:
    started_at = NOON + offset
    fact = factory.run_fact(
        account=account,
        sku_code="no-such-sku",
        started_at=started_at,
        ended_at=None if length is None else started_at + length,
    )
    metering.record_run(fact=fact, at=LATER + timedelta(days=60))

    assert codes(march) == (["quarantined"] if blocks else [])


def test_a_run_said_to_start_in_the_future_blocks_now(
    account: Account, march: BillingPeriod
) -> None:
    far = factory.run_fact(account=account, started_at=NOON + timedelta(days=3650))
    metering.record_run(fact=far, at=NOON)

    assert codes(march) == ["quarantined"]


def test_a_neighbours_quarantined_fact_does_not_block(
    neighbour: Account, march: BillingPeriod
) -> None:
    strange = factory.run_fact(account=neighbour, seconds=60, sku_code="no-such-sku")
    metering.record_run(fact=strange, at=LATER)

    assert codes(march) == []


def test_seconds_without_a_price_block_until_they_have_one(
    account: Account, march: BillingPeriod
) -> None:
    factory.record_use(account=account, seconds=100, sku_code="new-chip", quantity=3)

    assert refused(march) == ["unpriced"]
    exception = closing.exceptions_of(period=march, at=LATER)[0]
    assert (exception.ref, exception.seconds) == ("new-chip", 300)

    factory.price(sku_code="new-chip", hourly_rate=3600)
    invoice = invoicing.issue_invoice(
        draft=invoicing.draft_invoice(period=march, at=LATER), by="dana", at=LATER
    )
    assert invoice.net_amount == 2400 + 300


def test_a_gap_between_prices_is_unpriced_time(account: Account, march: BillingPeriod) -> None:
    factory.price(sku_code="atom", hourly_rate=1, valid_until=NOON + timedelta(seconds=10))
    factory.price(sku_code="atom", hourly_rate=2, valid_from=NOON + timedelta(seconds=15))
    factory.record_use(account=account, seconds=60, sku_code="atom", quantity=1)

    exception = closing.exceptions_of(period=march, at=LATER)[0]

    assert (exception.code, exception.seconds) == ("unpriced", 5)


def test_a_fact_that_arrives_after_the_draft_blocks_until_it_is_drawn_again(
    account: Account, march: BillingPeriod
) -> None:
    draft = invoicing.draft_invoice(period=march, at=LATER)
    factory.record_use(account=account, seconds=60)

    with pytest.raises(CloseBlocked) as blocked:
        invoicing.issue_invoice(draft=draft, by="dana", at=LATER)
    assert [each.code for each in blocked.value.exceptions] == ["recompute_differs"]

    again = invoicing.draft_invoice(period=march, at=LATER)
    assert invoicing.issue_invoice(draft=again, by="dana", at=LATER).net_amount == 2440


def test_a_draft_somebody_doctored_is_not_issued(march: BillingPeriod) -> None:
    draft = invoicing.draft_invoice(period=march, at=LATER)
    draft.lines.update(net_amount=1)
    Invoice.objects.filter(pk=draft.pk).update(net_amount=1, tax_amount=240, total_amount=241)

    assert codes(march) == ["recompute_differs"]
    with pytest.raises(CloseBlocked):
        invoicing.issue_invoice(draft=draft, by="dana", at=LATER)


def test_a_period_cut_after_its_draft_has_to_be_drafted_again(
    account: Account, march: BillingPeriod
) -> None:
    invoicing.draft_invoice(period=march, at=LATER)

    part = periods.cut_period(account=account, at=NOON + timedelta(minutes=30))

    assert part == march
    assert codes(part) == ["recompute_differs"]


def test_what_was_invoiced_and_what_is_pending_are_the_ledger(
    account: Account, march: BillingPeriod, rate: Rate
) -> None:
    """R3: a late fact changes no issued bill; the difference is shown, the same each time."""
    invoice = invoicing.issue_invoice(
        draft=invoicing.draft_invoice(period=march, at=LATER), by="dana", at=LATER
    )
    assert adjustments.pending_adjustments(period=march) == []

    factory.record_use(account=account, seconds=1800)

    pending = adjustments.pending_adjustments(period=march)
    assert pending == adjustments.pending_adjustments(period=march)
    assert [(each.rate_id, each.device_seconds, each.net_amount) for each in pending] == [
        (rate.pk, 3600, 1200)
    ]
    ledger = charged(march)
    assert invoice.net_amount + sum(each.net_amount for each in pending) == ledger


def charged(period: BillingPeriod) -> int:
    """What the ledger comes to now."""
    return closing.charging.rate_scope(closing.scope_of(period)).net


def test_before_there_is_a_bill_nothing_is_pending(march: BillingPeriod) -> None:
    assert adjustments.pending_adjustments(period=march) == []


def test_the_draft_keeps_the_tax_rate_it_was_drafted_at(march: BillingPeriod) -> None:
    draft = invoicing.draft_invoice(period=march, at=LATER)
    factory.register_seller(name="Other", tax_rate=pricing.STANDARD_TAX_RATE / 2)

    assert codes(march) == []
    assert invoicing.issue_invoice(draft=draft, by="dana", at=LATER).tax_amount == 240
