"""Turn what is told of container runs into usage intervals.

Facts come in any order, any number of times and from several observers; the ledger comes out the
same (`merging`).  What contradicts it is put aside (`quarantining`) and never raised at the one who
tells.  `charging` prices the intervals once their billing period is due.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db.models import Q

from billing import quarantining
from billing.booking import book, locked, open_first, watermark_of, write_end
from billing.constraints import is_deadlock, violated
from billing.facts import EndQuality, FactProblem, RunFact, find_problem
from billing.intervals import whole_second
from billing.merging import Contradiction, End
from billing.models import QuarantinedFact, UsageInterval, Witness

__all__ = [
    "Contradiction",
    "EndQuality",
    "RunFact",
    "book_run",
    "close_unproved",
    "name_witness",
    "record_run",
    "vouch",
    "watermark_of",
]

# A run by its holder, its own id and its start.
Run = tuple[UUID, str, datetime]


def record_run(*, fact: RunFact, at: datetime) -> UsageInterval | QuarantinedFact:
    """Merge one fact into the ledger, or put it aside; never raises for what a fact says."""
    fact = fact.in_whole_seconds()
    problem = find_problem(fact=fact, at=at)
    if problem is None:
        try:
            interval = _book_again_if_raced(fact, at)
        except Contradiction as contradiction:
            problem = contradiction.problem
        except (IntegrityError, DataError) as error:
            overlaps = violated(error) == "billing_usage_no_overlap"
            problem = FactProblem.OVERLAP if overlaps else FactProblem.REFUSED
        else:
            quarantining.release(fact=fact, at=at)
            return interval
    return quarantining.put_aside(fact=fact, problem=problem, at=at)


def book_run(*, fact: RunFact, at: datetime, is_first: bool) -> UsageInterval:
    """Merge a fact in the caller's own transaction, trusting that nothing contradicts it.

    Raises what `record_run` would put aside; the caller then rolls back, and asks that one.
    `is_first` says that no fact about this run has been told before.
    """
    fact = fact.in_whole_seconds()
    if problem := find_problem(fact=fact, at=at):
        raise Contradiction(problem)
    if is_first:
        return open_first(fact=fact, at=at)
    interval = book(fact=fact, at=at)
    quarantining.release(fact=fact, at=at)
    return interval


@transaction.atomic
def name_witness(*, source: int, ref: str, runs: Collection[Run]) -> dict[Run, int]:
    """Let a witness vouch for open runs; returns the intervals of those it vouches for.

    A run that began otherwise, is over or has a witness is left as it is.
    """
    holders = sorted({holder_uid for holder_uid, _, _ in runs})
    held = locked(Q(source=source, holder_uid__in=holders, witness=None, ended_at=None))
    wanted = {
        (holder, run_id, whole_second(since)): (holder, run_id, since)
        for holder, run_id, since in runs
    }
    named = {
        wanted[key]: run.pk
        for run in held
        if (key := (run.holder_uid, run.run_id, run.started_at)) in wanted
    }
    if named:
        witness, _ = Witness.objects.get_or_create(source=source, ref=ref)
        UsageInterval.objects.filter(pk__in=named.values()).update(witness=witness)
    return named


@transaction.atomic
def close_unproved(
    *, source: int, holder_uid: UUID, run_id: str, reason: str, at: datetime
) -> UsageInterval | None:
    """End a run nobody can vouch for any longer, no later than it was proved."""
    interval = locked(Q(source=source, holder_uid=holder_uid, run_id=run_id)).first()
    if interval is None or interval.ended_at is not None:
        return interval
    absent_at = max(whole_second(at), interval.started_at)
    proved_until = min(watermark_of(interval), absent_at)
    end = End(proved_until, EndQuality.BOUNDED, reason)
    write_end(interval=interval, end=end, at=absent_at)
    return interval


def vouch(*, source: int, ref: str, proved_until: datetime) -> Witness:
    """Prove all open intervals of a witness up to an instant; an earlier one changes nothing."""
    until = whole_second(proved_until)
    witness, _ = Witness.objects.get_or_create(
        source=source, ref=ref, defaults={"proved_until": until}
    )
    if witness.proved_until is None or witness.proved_until < until:
        # The condition again, now in the database: of two observers the later proof stays.
        earlier = Q(proved_until__isnull=True) | Q(proved_until__lt=until)
        Witness.objects.filter(earlier, pk=witness.pk).update(proved_until=until)
        witness.refresh_from_db()
    return witness


def _book_again_if_raced(fact: RunFact, at: datetime) -> UsageInterval:
    try:
        with transaction.atomic():
            return book(fact=fact, at=at)
    except (IntegrityError, OperationalError) as error:
        if not (isinstance(error, IntegrityError) or is_deadlock(error)):
            raise
        # Another observer may have written this run or its successor in between.
        with transaction.atomic():
            return book(fact=fact, at=at)
