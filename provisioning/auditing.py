"""Recompute the ledger's intervals from what the clusters said, and compare.

Evidence rows in, findings out; none is the only good answer.  Billing's own closing
checks money against the ledger, this checks the ledger against the clusters.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.models import QuarantinedFact, UsageInterval
from provisioning import podstatus, witnessed
from provisioning.models import Cluster, UsageEvidence

Run = tuple[int, UUID, str]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the evidence says of one run."""

    run: Run
    started_at: datetime | None
    finished_at: datetime | None
    given_up_at: datetime | None
    is_lost: bool = False


@dataclass(frozen=True)
class Finding:
    """One run about which ledger and evidence disagree."""

    code: str
    run: Run
    message: str


def audit_usage() -> list[Finding]:
    """Compare every run of every cluster."""
    told = {run.run: run for run in recompute(UsageEvidence.objects.order_by("id").iterator())}
    clusters = Cluster.objects.values("pk")
    ledger = UsageInterval.objects.filter(source__in=clusters).order_by("started_at", "pk")
    findings: list[Finding] = []
    for interval in ledger.iterator():
        run = (interval.source, interval.holder_uid, interval.run_id)
        findings += compare(interval, told.pop(run, None))
    aside = _put_aside()
    missing = [run for run in told if run not in aside]
    return findings + [Finding("not_in_ledger", run, str(told[run])) for run in missing]


def recompute(rows: Iterable[UsageEvidence]) -> list[Told]:
    """Fold evidence into one statement per run: the first start, the end if it was told."""
    runs: dict[Run, Told] = {}
    for row in rows:
        run = (row.cluster_id, row.pod_uid, row.container_id)
        before = runs.get(run) or Told(run=run, started_at=None, finished_at=None, given_up_at=None)
        if before.is_lost:
            continue
        gave_up = row.kind in witnessed.GIVEN_UP
        runs[run] = Told(
            run=run,
            started_at=before.started_at or podstatus.instant_of(row.said.get("started_at")),
            finished_at=before.finished_at or podstatus.instant_of(row.said.get("finished_at")),
            given_up_at=before.given_up_at or (row.observed_at if gave_up else None),
            is_lost=row.kind == witnessed.DECLARED_LOST,
        )
    return list(runs.values())


def compare(interval: UsageInterval, told: Told | None) -> Iterator[Finding]:
    """Say where an interval differs from what the cluster said."""
    run = (interval.source, interval.holder_uid, interval.run_id)
    if told is None:
        yield Finding("no_evidence", run, f"nothing was said of interval {interval.pk}")
        return
    if told.started_at != interval.started_at:
        yield Finding(
            "start_differs", run, f"{told.started_at} was said, {interval.started_at} is kept"
        )
    if told.finished_at is not None:
        if (interval.ended_at, interval.end_quality) != (told.finished_at, "exact"):
            yield Finding(
                "end_differs", run, f"{told.finished_at} was said, {interval.ended_at} is kept"
            )
    elif told.given_up_at is None:
        if interval.ended_at is not None:
            yield Finding("ended_unsaid", run, f"no end was said, {interval.ended_at} is kept")
    elif interval.ended_at is None or interval.ended_at > told.given_up_at:
        yield Finding(
            "end_unproved", run, f"given up at {told.given_up_at}, {interval.ended_at} is kept"
        )


def _put_aside() -> set[Run]:
    facts = QuarantinedFact.objects.values_list("source", "fact__holder_uid", "fact__run_id")
    return {(source, UUID(holder), run_id) for source, holder, run_id in facts if holder}
