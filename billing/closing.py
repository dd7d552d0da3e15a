"""What keeps a billing period from being invoiced.

Every exception is listed with what it is about, so that somebody can wait for it or answer it;
`invoicing` issues nothing while there is one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import F, Q

from billing import charging, pricing
from billing.charging import Scope
from billing.errors import CloseBlocked, IllegalState
from billing.models import BillingPeriod, Invoice, QuarantinedFact, UsageInterval
from billing.rating import RatedLine, Rating


class Blocker(StrEnum):
    """Why a period cannot be closed."""

    PERIOD_NOT_OVER = "period_not_over"
    NO_EVIDENCE = "no_evidence"
    QUARANTINED = "quarantined"
    UNPRICED = "unpriced"
    RECOMPUTE_DIFFERS = "recompute_differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseException:
    """One thing that stands in the way, and what it is about."""

    code: Blocker
    message: str
    ref: str = ""
    seconds: int = 0


def exceptions_of(*, period: BillingPeriod, at: datetime) -> list[CloseException]:
    """All that stands in the way of invoicing a period; an empty list means nothing does."""
    draft = Invoice.objects.filter(period=period, state=Invoice.State.DRAFT).first()
    rating = charging.rate_scope(scope_of(period, draft))
    return [
        *_not_over(period, at),
        *_without_evidence(period),
        *_quarantined(period),
        *_unpriced(rating),
        *(_differences(draft, rating) if draft else []),
    ]


@transaction.atomic
def close_unused(*, period: BillingPeriod, by: str, at: datetime) -> BillingPeriod:
    """Close a period that comes to nothing: there is no invoice to close it with."""
    period = BillingPeriod.objects.select_for_update().get(pk=period.pk)
    exceptions = exceptions_of(period=period, at=at)
    if exceptions:
        raise CloseBlocked(exceptions=exceptions)
    if period.closed_at or charging.rate_scope(scope_of(period)).net:
        raise IllegalState("This billing period is closed by its invoice.")
    period.closed_at, period.closed_by = at, by
    period.save(update_fields=["closed_at", "closed_by"])
    return period


def scope_of(period: BillingPeriod, draft: Invoice | None = None) -> Scope:
    """What is rated for a period; its draft keeps the tax rate it was drafted at."""
    return Scope(
        account_id=period.account_id,
        span=period.bounds,
        tax_rate=draft.tax_rate if draft else pricing.tax_rate_now(),
    )


def _not_over(period: BillingPeriod, at: datetime) -> list[CloseException]:
    if period.until <= at:
        return []
    ends = period.until.isoformat()
    return [CloseException(code=Blocker.PERIOD_NOT_OVER, message=f"The period lasts until {ends}.")]


def _without_evidence(period: BillingPeriod) -> list[CloseException]:
    running = UsageInterval.objects.filter(
        account_id=period.account_id, ended_at__isnull=True, started_at__lt=period.until
    )
    unproved = running.with_watermark().filter(watermark__lt=period.until)
    return [
        CloseException(
            code=Blocker.NO_EVIDENCE,
            message=f"{interval.resource_ref} is open and proved until "
            f"{interval.watermark.isoformat()} only.",
            ref=interval.resource_ref,
            seconds=interval.quantity
            * int((period.until - max(interval.watermark, period.since)).total_seconds()),
        )
        for interval in unproved.order_by("started_at", "pk")
    ]


def _quarantined(period: BillingPeriod) -> list[CloseException]:
    # A fact nobody is known for may be anybody's.
    theirs = Q(account_id=period.account_id) | Q(account__isnull=True)
    lasting = Q(period_until__isnull=True) | Q(period_until__gt=period.since)
    # A run without length, or with its ends swapped, still stands at its start.
    starting = Q(period_from__gte=period.since, period_until__lte=F("period_from"))
    facts = QuarantinedFact.objects.filter(
        theirs, lasting | starting, resolved_at__isnull=True, period_from__lt=period.until
    )
    return [
        CloseException(code=Blocker.QUARANTINED, message=fact.message, ref=str(fact.pk))
        for fact in facts.order_by("pk")
    ]


def _unpriced(rating: Rating) -> list[CloseException]:
    return [
        CloseException(
            code=Blocker.UNPRICED,
            message=f"{use.device_seconds} device-seconds of {use.sku_code} have no price.",
            ref=use.sku_code,
            seconds=use.device_seconds,
        )
        for use in rating.unpriced
    ]


def _differences(draft: Invoice, rating: Rating) -> list[CloseException]:
    drafted = tuple(_as_rated(draft))
    header = (draft.net_amount, draft.tax_amount, draft.total_amount)
    if drafted == rating.lines and header == (rating.net, rating.tax, rating.total):
        return []
    return [
        CloseException(
            code=Blocker.RECOMPUTE_DIFFERS,
            message=f"The draft says {draft.total_amount}, the ledger now says {rating.total}.",
            ref=str(draft.pk),
            seconds=sum(line.device_seconds for line in rating.lines)
            - sum(line.device_seconds for line in drafted),
        )
    ]


def _as_rated(draft: Invoice) -> list[RatedLine]:
    return [
        RatedLine(
            project_id=line.project_id,
            sku_code=line.sku_code,
            rate_id=line.rate_id,
            hourly_rate=line.hourly_rate,
            device_seconds=line.device_seconds,
            net_amount=line.net_amount,
            tax_amount=line.tax_amount,
            service_from=line.service_from,
            service_until=line.service_until,
        )
        for line in draft.lines.order_by("position")
    ]
