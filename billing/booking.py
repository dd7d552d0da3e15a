"""Write one believable fact into the ledger, under the lock of its row.

Raises what the fact contradicts: `Contradiction` for what we see, IntegrityError for what only the
database sees.  `metering` turns either into a quarantined fact.
"""

from datetime import datetime

from django.db.models import Q, QuerySet

from billing.facts import EndQuality, FactProblem, RunFact
from billing.merging import Contradiction, End, merge_end
from billing.models import Account, Sku, UsageInterval, Witness

SUPERSEDED = "superseded"


def book(*, fact: RunFact, at: datetime) -> UsageInterval:
    """Open or update the interval of a run; a run before it in the same holder ends first."""
    interval = locked(_key_of(fact)).first() or _unsaved(fact, at)
    if not _began_alike(interval, fact):
        raise Contradiction(FactProblem.CHANGED_RUN)
    if interval.witness is None and fact.witness_ref is not None:
        interval.witness = _witness_of(fact)
    _end_predecessors(fact, at)
    told = _told_end(interval, fact)
    write_end(interval=interval, end=merge_end(known=known_end(interval), told=told), at=at)
    return interval


def locked(condition: Q) -> QuerySet[UsageInterval]:
    """Intervals held until the transaction ends."""
    held = UsageInterval.objects.select_for_update(of=("self",)).filter(condition)
    return held.select_related("witness", "sku").order_by("started_at", "pk")


def watermark_of(interval: UsageInterval) -> datetime:
    """The end, or up to where an open interval is proved: without a witness, its start."""
    if interval.ended_at is not None:
        return interval.ended_at
    proved = interval.witness.proved_until if interval.witness else None
    return max(interval.started_at, proved or interval.started_at)


def known_end(interval: UsageInterval) -> End | None:
    """The end the ledger has."""
    if interval.ended_at is None or interval.end_quality is None:
        return None
    return End(interval.ended_at, EndQuality(interval.end_quality), interval.end_reason)


def write_end(*, interval: UsageInterval, end: End | None, at: datetime) -> None:
    """Save the interval with that end; a bounded one shows the gap until it was noticed."""
    if end is not None and end != known_end(interval):
        interval.ended_at = end.at
        interval.end_quality = end.quality.value
        interval.end_reason = end.reason
        gap = int((at - end.at).total_seconds())
        interval.gap_seconds = max(gap, 0) if end.quality is EndQuality.BOUNDED else None
    interval.save()


def _key_of(fact: RunFact) -> Q:
    return Q(source=fact.source, holder_uid=fact.holder_uid, run_id=fact.run_id)


def _unsaved(fact: RunFact, at: datetime) -> UsageInterval:
    sku = Sku.objects.filter(code=fact.sku_code).first()
    if sku is None:
        raise Contradiction(FactProblem.UNKNOWN_SKU)
    if not Account.objects.filter(pk=fact.account_id).exists():
        raise Contradiction(FactProblem.UNKNOWN_ACCOUNT)
    return UsageInterval(
        source=fact.source,
        holder_uid=fact.holder_uid,
        run_id=fact.run_id,
        meter=fact.meter,
        resource_ref=fact.resource_ref,
        account_id=fact.account_id,
        project_id=fact.project_id,
        sku=sku,
        quantity=fact.quantity,
        started_at=fact.started_at,
        opened_at=at,
    )


def _began_alike(interval: UsageInterval, fact: RunFact) -> bool:
    known = (
        interval.meter,
        interval.resource_ref,
        interval.account_id,
        interval.project_id,
        interval.sku.code,
        interval.quantity,
        interval.started_at,
    )
    told = (
        fact.meter,
        fact.resource_ref,
        fact.account_id,
        fact.project_id,
        fact.sku_code,
        fact.quantity,
        fact.started_at,
    )
    return known == told


def _witness_of(fact: RunFact) -> Witness:
    witness, _ = Witness.objects.get_or_create(source=fact.source, ref=fact.witness_ref)
    return witness


def _end_predecessors(fact: RunFact, at: datetime) -> None:
    """A holder runs one container at a time: what it still had open is over.

    A bounded end that a run told of only now proves too late is taken back to that run's start.
    """
    over = Q(ended_at__isnull=True) | Q(
        end_quality=EndQuality.BOUNDED.value, ended_at__gt=fact.started_at
    )
    same_holder = over & Q(source=fact.source, holder_uid=fact.holder_uid)
    earlier = Q(started_at__lt=fact.started_at) | Q(
        started_at=fact.started_at, run_id__lt=fact.run_id
    )
    for predecessor in locked(same_holder & earlier):
        end = _end_before(predecessor, fact.started_at)
        write_end(interval=predecessor, end=end, at=at)


def _told_end(interval: UsageInterval, fact: RunFact) -> End | None:
    """The end a fact tells; an open run that has a successor ended before it."""
    if fact.ended_at is not None and fact.end_quality is not None:
        return End(fact.ended_at, fact.end_quality, fact.end_reason)
    successor = _successor_of(fact)
    return _end_before(interval, successor.started_at) if successor else None


def _successor_of(fact: RunFact) -> UsageInterval | None:
    later = Q(started_at__gt=fact.started_at) | Q(
        started_at=fact.started_at, run_id__gt=fact.run_id
    )
    same_holder = UsageInterval.objects.filter(source=fact.source, holder_uid=fact.holder_uid)
    return same_holder.filter(later).order_by("started_at", "run_id").first()


def _end_before(interval: UsageInterval, successor_started_at: datetime) -> End:
    proved_until = min(watermark_of(interval), successor_started_at)
    return End(proved_until, EndQuality.BOUNDED, SUPERSEDED)
