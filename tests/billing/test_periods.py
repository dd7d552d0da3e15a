"""Billing periods: Korean months, without overlap, cut where a bill is wanted earlier."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from billing import periods
from billing.errors import IllegalState
from billing.intervals import Span
from billing.models import Account, BillingPeriod
from tests.factories import billing as factory
from tests.factories.billing import APRIL, MARCH, NOON


def test_a_month_begins_and_ends_at_korean_midnight() -> None:
    march = Span(MARCH, APRIL)

    assert periods.kst_month(MARCH) == march
    assert periods.kst_month(APRIL - timedelta(microseconds=1)) == march
    assert periods.kst_month(MARCH - timedelta(microseconds=1)).until == MARCH
    december = periods.kst_month(datetime(2026, 12, 31, 14, 59, 59, tzinfo=UTC))
    assert december.until == datetime(2026, 12, 31, 15, tzinfo=UTC)


@given(at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_months_touch_and_never_overlap(at: datetime) -> None:
    month = periods.kst_month(at)

    assert month.covers(at)
    assert periods.kst_month(month.until).since == month.until
    assert periods.kst_month(month.until - timedelta(microseconds=1)) == month


def test_an_account_begins_with_the_month_it_was_opened_in(account: Account) -> None:
    period = BillingPeriod.objects.get(account=account)

    assert period.bounds == Span(MARCH, APRIL)
    assert periods.period_for(account=account, at=NOON) == period


def test_a_month_can_be_cut_twice_and_stays_whole(account: Account) -> None:
    first = periods.cut_period(account=account, at=NOON)
    second = periods.cut_period(account=account, at=NOON + timedelta(hours=1, milliseconds=300))

    assert first.bounds == Span(MARCH, NOON)
    assert second.bounds == Span(NOON, NOON + timedelta(hours=1))
    spans = [each.bounds for each in BillingPeriod.objects.order_by("span")]
    assert spans == Span(MARCH, APRIL).split_at([NOON, NOON + timedelta(hours=1)])


@pytest.mark.parametrize("at", [MARCH, NOON])
def test_a_period_is_not_cut_at_its_border(account: Account, at: datetime) -> None:
    periods.cut_period(account=account, at=NOON)

    with pytest.raises(IllegalState):
        periods.cut_period(account=account, at=at)

    assert BillingPeriod.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_people_who_cut_at_the_same_time_leave_one_whole_month() -> None:
    account = factory.open_account()
    instants = [NOON + timedelta(minutes=minute) for minute in (5, 1, 4, 2, 3)]
    refused: list[Exception] = []

    def cut(at: datetime) -> None:
        try:
            periods.cut_period(account=account, at=at)
        except Exception as error:  # noqa: BLE001
            refused.append(error)
        finally:
            connection.close()

    people = [threading.Thread(target=cut, args=(at,)) for at in instants]
    for person in people:
        person.start()
    for person in people:
        person.join(60)

    assert refused == []
    spans = [each.bounds for each in BillingPeriod.objects.order_by("span")]
    assert spans == Span(MARCH, APRIL).split_at(instants)
