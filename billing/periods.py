"""Billing periods: rows without overlap, normally a month of the account's calendar.

Local time appears here and on documents, nowhere else.  A final or interim bill cuts a period at an
instant; `invoicing` then bills the part before it.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from billing.constraints import refused_as
from billing.errors import IllegalState, PeriodOverlap
from billing.intervals import Span, whole_second
from billing.models import Account, BillingPeriod

KST = "Asia/Seoul"


def month_of(at: datetime, *, timezone: str) -> Span:
    """The calendar month around an instant, there, as UTC."""
    zone = ZoneInfo(timezone)
    first = at.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    year, month = (first.year + 1, 1) if first.month == 12 else (first.year, first.month + 1)
    following = first.replace(year=year, month=month)
    utc = ZoneInfo("UTC")
    return Span(first.astimezone(utc), following.astimezone(utc))


def kst_month(at: datetime) -> Span:
    """The Korean calendar month around an instant."""
    return month_of(at, timezone=KST)


def period_for(*, account: Account, at: datetime) -> BillingPeriod:
    """The period around an instant; the month is opened if there is none."""
    found = BillingPeriod.objects.filter(account=account, span__contains=at).first()
    if found:
        return found
    try:
        return _open_period(account, month_of(at, timezone=account.timezone))
    except PeriodOverlap:
        # Somebody else opened it just now, or the month is partly taken.
        again = BillingPeriod.objects.filter(account=account, span__contains=at).first()
        if again is None:
            raise
        return again


@transaction.atomic
def cut_period(*, account: Account, at: datetime) -> BillingPeriod:
    """End the period around an instant there and open the rest anew; returns the part before."""
    cut = whole_second(at)
    # One at a time per account: of two cuts the second must see what the first left.
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    around = period_for(account=account, at=cut)
    period = BillingPeriod.objects.select_for_update().get(pk=around.pk)
    if period.closed_at or not period.since < cut < period.until:
        raise IllegalState("The billing period cannot be cut there.")
    rest = Span(cut, period.until)
    period.span = DateTimeTZRange(period.since, cut)
    period.save(update_fields=["span"])
    _open_period(account, rest)
    return period


def _open_period(account: Account, span: Span) -> BillingPeriod:
    with refused_as({"billing_period_no_overlap": PeriodOverlap()}):
        return BillingPeriod.objects.create(
            account=account, span=DateTimeTZRange(span.since, span.until)
        )
