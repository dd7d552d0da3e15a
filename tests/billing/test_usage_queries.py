"""What tenants see of their use before there is a bill."""

from datetime import timedelta

from billing import metering, queries
from billing.intervals import Span
from billing.models import Account, Invoice, Rate
from tests.factories import billing as factory
from tests.factories.billing import APRIL, LATER, MARCH, NOON

HOUR = timedelta(hours=1)


def test_rows_are_clipped_to_the_time_asked_for(account: Account) -> None:
    factory.record_use(account=account, started_at=NOON - HOUR, seconds=2 * 3600)
    factory.record_use(account=account, started_at=NOON + 3 * HOUR, seconds=3600)

    rows = queries.usage_rows(account_id=account.pk, since=NOON, until=NOON + HOUR, at=LATER)

    assert [(row.started_at, row.device_seconds, row.is_open) for row in rows] == [
        (NOON - HOUR, 7200, False)
    ]


def test_rows_are_of_the_account_and_of_the_project_asked_for(
    account: Account, neighbour: Account
) -> None:
    factory.record_use(account=account, seconds=60, project_id=7)
    factory.record_use(account=account, seconds=60, project_id=8, sku_code="atom")
    factory.record_use(account=neighbour, seconds=60, project_id=7)

    everything = queries.usage_rows(account_id=account.pk, since=MARCH, until=APRIL, at=LATER)
    one = queries.usage_rows(
        account_id=account.pk, since=MARCH, until=APRIL, project_id=8, at=LATER
    )

    assert sorted(row.project_id for row in everything) == [7, 8]
    assert [(row.project_id, row.sku_code) for row in one] == [(8, "atom")]


def test_an_open_run_counts_as_far_as_it_is_proved(account: Account) -> None:
    factory.record_use(account=account)
    metering.vouch(source=1, ref="node-1/boot-1", proved_until=NOON + timedelta(seconds=90))

    row = queries.usage_rows(account_id=account.pk, since=MARCH, until=APRIL, at=LATER)[0]

    assert (row.is_open, row.ended_at, row.device_seconds) == (True, None, 180)
    assert row.proved_until == NOON + timedelta(seconds=90)


def test_a_provisional_total_is_what_a_bill_would_say_and_writes_nothing(
    account: Account, rate: Rate
) -> None:
    factory.record_use(account=account, seconds=3600)
    factory.record_use(account=account, seconds=60, sku_code="unpriced")

    total = queries.provisional_total(account=account, span=Span(MARCH, APRIL), at=LATER)

    assert (total.net, total.tax, total.total) == (2400, 240, 2640)
    assert [line.rate_id for line in total.lines] == [rate.pk]
    assert [use.sku_code for use in total.unpriced] == ["unpriced"]
    assert not Invoice.objects.exists()


def test_a_provisional_total_stops_at_the_moment_it_is_asked_for(
    account: Account, rate: Rate
) -> None:
    factory.record_use(account=account, seconds=3600)

    halfway = queries.provisional_total(
        account=account, span=Span(MARCH, APRIL), at=NOON + HOUR / 2
    )
    before = queries.provisional_total(
        account=account, span=Span(MARCH, APRIL), at=MARCH - timedelta(days=1)
    )

    assert (halfway.net, before.net) == (1200, 0)
