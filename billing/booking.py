"""Write one believable fact into the ledger, under the lock of its row.

Raises what the fact contradicts: `Contradiction` for what we see, IntegrityError for what only the
database sees.  `metering` turns either into a quarantined fact.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, Q, QuerySet

from billing.facts import EndQuality, FactProblem, RunFact
from billing.merging import Contradiction, End, merge_end
from billing.models import Account, Sku, UsageInterval, Witness

SUPERSEDED = "superseded"


def book(*, fact: RunFact, at: datetime) -> UsageInterval:
    """Open or update the interval of a run; a run before it in the same holder ends first."""
    runs = list(locked(Q(source=fact.source, holder_uid=fact.holder_uid)))
    known = next((run for run in runs if run.run_id == fact.run_id), None)
    interval = known or _unsaved(fact, at)
    if not _began_alike(interval, fact):
        raise Contradiction(FactProblem.CHANGED_RUN)
    is_named = _name_witness(interval, fact)
    others = [run for run in runs if run is not known]
    _end_predecessors(others, fact, at)
    told = _told_end(interval, fact, others)
    is_ended = _set_end(interval, merge_end(known=known_end(interval), told=told), at)
    if known is None or is_named or is_ended:
        interval.save()
    return interval


def open_first(*, fact: RunFact, at: datetime) -> UsageInterval:
    """Open the interval of a run nobody has told of, without looking for others of its holder.

    Any other that has something to say to it overlaps it, so the database refuses this one.
    """
    if fact.ended_at == fact.started_at:
        # No time at all overlaps nothing.
        return book(fact=fact, at=at)
    interval = _unsaved(fact, at)
    _name_witness(interval, fact)
    _set_end(interval, _own_end(fact), at)
    interval.save()
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
    if _set_end(interval, end, at):
        interval.save(update_fields=["ended_at", "end_quality", "end_reason", "gap_seconds"])


def _set_end(interval: UsageInterval, end: End | None, at: datetime) -> bool:
    if end is None or end == known_end(interval):
        return False
    interval.ended_at = end.at
    interval.end_quality = end.quality.value
    interval.end_reason = end.reason
    gap = int((at - end.at).total_seconds())
    interval.gap_seconds = max(gap, 0) if end.quality is EndQuality.BOUNDED else None
    return True


def _unsaved(fact: RunFact, at: datetime) -> UsageInterval:
    account = Account.objects.filter(pk=fact.account_id)
    sku = Sku.objects.annotate(has_payer=Exists(account)).filter(code=fact.sku_code).first()
    if sku is None:
        raise Contradiction(FactProblem.UNKNOWN_SKU)
    if not sku.has_payer:
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


def _name_witness(interval: UsageInterval, fact: RunFact) -> bool:
    if interval.witness_id is not None or fact.witness_ref is None:
        return False
    interval.witness, _ = Witness.objects.get_or_create(source=fact.source, ref=fact.witness_ref)
    return True


def _end_predecessors(others: Iterable[UsageInterval], fact: RunFact, at: datetime) -> None:
    """A holder runs one container at a time: what it still had open is over.

    A bounded end that a run told of only now proves too late is taken back to that run's start.
    """
    for run in others:
        is_bounded = run.end_quality == EndQuality.BOUNDED.value
        is_over = run.ended_at is None or (is_bounded and run.ended_at > fact.started_at)
        if is_over and _order(run) < _order(fact):
            write_end(interval=run, end=_end_before(run, fact.started_at), at=at)


def _told_end(
    interval: UsageInterval, fact: RunFact, others: Iterable[UsageInterval]
) -> End | None:
    """The end a fact tells; an open run that has a successor ended before it."""
    if (end := _own_end(fact)) is not None:
        return end
    successors = [run for run in others if _order(run) > _order(fact)]
    successor = min(successors, key=_order, default=None)
    return _end_before(interval, successor.started_at) if successor else None


def _own_end(fact: RunFact) -> End | None:
    if fact.ended_at is None or fact.end_quality is None:
        return None
    return End(fact.ended_at, fact.end_quality, fact.end_reason)


def _order(run: UsageInterval | RunFact) -> tuple[datetime, str]:
    return run.started_at, run.run_id


def _end_before(interval: UsageInterval, successor_started_at: datetime) -> End:
    proved_until = min(watermark_of(interval), successor_started_at)
    return End(proved_until, EndQuality.BOUNDED, SUPERSEDED)
