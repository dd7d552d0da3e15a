"""Questions to billing: what was used, what it comes to so far, what lacks proof."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from billing import charging, pricing
from billing.booking import watermark_of
from billing.charging import Scope
from billing.intervals import Span
from billing.models import Account, UsageInterval
from billing.rating import Rating


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """One usage interval inside a time: seconds, never money."""

    resource_ref: str
    project_id: int
    sku_code: str
    quantity: int
    started_at: datetime
    ended_at: datetime | None
    proved_until: datetime
    device_seconds: int
    is_open: bool
    end_quality: str | None
    gap_seconds: int | None


def usage_rows(
    *,
    account_id: int,
    since: datetime,
    until: datetime,
    project_id: int | None = None,
    at: datetime,
) -> list[UsageRow]:
    """The intervals of an account with a share in a time, oldest first, clipped to it."""
    intervals = UsageInterval.objects.filter(account_id=account_id)
    if project_id is not None:
        intervals = intervals.filter(project_id=project_id)
    found = intervals.touching(since=since, until=until).select_related("sku", "witness")
    return [_row(each, Span(since, until), at) for each in found.order_by("started_at", "pk")]


def provisional_total(*, account: Account, span: Span, at: datetime) -> Rating:
    """What the account would be billed for a time, as far as it is proved by now."""
    so_far = Span(span.since, max(span.since, min(span.until, at)))
    return charging.rate_scope(
        Scope(account_id=account.pk, span=so_far, tax_rate=pricing.tax_rate_now())
    )


def open_intervals_without_proof(
    *, proved_before: datetime, account_id: int | None = None
) -> QuerySet[UsageInterval]:
    """Open intervals whose last proof is older than that, the longest unproved first."""
    running = UsageInterval.objects.filter(ended_at__isnull=True)
    if account_id is not None:
        running = running.filter(account_id=account_id)
    unproved = running.with_watermark().filter(watermark__lt=proved_before)
    return unproved.order_by("watermark", "pk")


def _row(interval: UsageInterval, span: Span, at: datetime) -> UsageRow:
    proved_until = max(interval.started_at, min(watermark_of(interval), at))
    inside = Span(interval.started_at, proved_until).overlap(span)
    return UsageRow(
        resource_ref=interval.resource_ref,
        project_id=interval.project_id,
        sku_code=interval.sku.code,
        quantity=interval.quantity,
        started_at=interval.started_at,
        ended_at=interval.ended_at,
        proved_until=proved_until,
        device_seconds=inside.seconds * interval.quantity if inside else 0,
        is_open=interval.ended_at is None,
        end_quality=interval.end_quality,
        gap_seconds=interval.gap_seconds,
    )
