"""Tell the ledger what a pod says about its one run.  The only caller of billing.

A run is keyed by cluster, pod UID and container ID.  It is charged from `startedAt` to
`finishedAt` as the node timed them; where the end is missing, up to what the node's lease
proved.  Everything here runs in the transaction in which the watcher writes the pod.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing import metering, pricing, unusable
from billing.facts import EndQuality, RunFact
from billing.models import QuarantinedFact, UnusableTime, UsageInterval
from provisioning import allocating
from provisioning.covering import Changes, Spell
from provisioning.models import Instance, Node, ObservedPod, Outage
from provisioning.specs import OVER
from provisioning.states import Settlement

METER: Final = "device_time"
# Nobody is billed by this account: the ledger puts the fact aside and blocks the close.
NOBODY: Final = 0
# Where a node's clock starts that nobody has set.
NO_CLOCK: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Settled:
    """What became of a run: whether the pod may go, and the ledger's row if it has one."""

    settlement: Settlement
    interval: UsageInterval | None = None


def settle_run(
    *,
    pod: ObservedPod,
    instance: Instance | None,
    node: Node | None,
    at: datetime,
    is_trusting: bool = False,
    is_first: bool = False,
) -> Settled:
    """Merge what the pod says into the ledger.

    Trusting, what contradicts the ledger is raised and nothing may be kept; otherwise it is
    put aside.  `is_first` says that the run has never been told of.
    """
    if pod.settlement == Settlement.LOST:
        # Written off with its cluster by a person's word: the ledger takes nothing more of it.
        return Settled(Settlement.LOST)
    if not pod.container_id:
        return Settled(Settlement.NEVER_RAN)
    if pod.started_at is None:
        return Settled(_settle_untimed(pod, instance, at))
    fact = _fact_of(pod, instance)
    is_over = fact.ended_at is not None or _is_over(pod)
    if is_over and fact.ended_at is None and _is_given_up(pod):
        # Closed for want of an end; told again as open it would contradict the ledger.
        return Settled(Settlement.CLOSED, _interval_of(pod))
    told: UsageInterval | QuarantinedFact
    if is_trusting:
        told = metering.book_run(fact=fact, at=at, is_first=is_first)
    else:
        told = metering.record_run(fact=fact, at=at)
    if is_over and (fact.ended_at is None or isinstance(told, QuarantinedFact)):
        interval = _close(pod, reason=_end_reason(pod) or "end_unknown", at=at)
    else:
        interval = told if isinstance(told, UsageInterval) else _interval_of(pod)
    if interval is not None and instance is not None:
        # No time at all overlaps nothing, so nobody would find that a device was not free.
        if is_trusting and interval.ended_at != interval.started_at:
            allocating.hold_devices(
                pod=pod, instance=instance, interval=interval, node=node, is_first=is_first
            )
        else:
            allocating.record_devices(
                pod=pod, instance=instance, interval=interval, node=node, fact=fact, at=at
            )
    return Settled(Settlement.CLOSED if is_over else Settlement.OPEN, interval)


def _settle_untimed(pod: ObservedPod, instance: Instance | None, at: datetime) -> Settlement:
    """Put a run aside that is there by a clock nobody can believe; a person says what it was."""
    if pod.container_state == "running":
        metering.record_run(fact=_fact_of(pod, instance, started_at=NO_CLOCK), at=at)
        return Settlement.OPEN
    # One that was never seen running could not be started: its runtime says 1970, or nothing.
    return Settlement.CLOSED if pod.settlement != Settlement.NEVER_RAN else Settlement.NEVER_RAN


def close_vanished(
    *, pod: ObservedPod, at: datetime, reason: str = "pod_vanished"
) -> UsageInterval | None:
    """End the run of a pod that is there no more, no later than it was proved."""
    interval = _close(pod, reason=reason, at=at)
    if interval is not None:
        allocating.end_devices(interval=interval)
    return interval


def name_witness(*, pod: ObservedPod, instance: Instance, node: Node, at: datetime) -> str:
    """Let the node vouch for an open run that a list has just shown on it."""
    ref = witness_ref(node)
    fact = _fact_of(pod, instance, witness=ref)
    told = metering.record_run(fact=fact, at=at)
    if isinstance(told, UsageInterval):
        allocating.record_devices(
            pod=pod, instance=instance, interval=told, node=node, fact=fact, at=at
        )
    return ref


def name_witness_of_all(*, pods: Sequence[ObservedPod], node: Node) -> list[ObservedPod]:
    """Let the node vouch for all of these open runs at once; returns the pods this settled.

    The others `name_witness` has to look at one by one: the ledger does not have their runs
    as they are told, or their devices are not written down yet.
    """
    runs = {(pod.uid, pod.container_id, pod.started_at): pod for pod in pods if pod.started_at}
    named = metering.name_witness(source=node.cluster_id, ref=witness_ref(node), runs=list(runs))
    without = allocating.without_devices(named.values())
    return [
        runs[run]
        for run, interval_id in named.items()
        if not (runs[run].devices and interval_id in without)
    ]


def vouch_for_node(*, node: Node, proved_until: datetime) -> None:
    """Prove all open runs of this life of a node up to an instant."""
    metering.vouch(source=node.cluster_id, ref=witness_ref(node), proved_until=proved_until)


def witness_ref(node: Node) -> str:
    """Name one life of a node: what ran before a reboot does not run after it."""
    return f"{node.uid}/{node.boot_id}"


def offer_sku(*, code: str, name: str) -> None:
    """Let there be something that can have a price."""
    pricing.add_sku(code=code, name=name, meter=METER)


def interval_of(pod: ObservedPod) -> UsageInterval | None:
    """Return the ledger's row of the pod's run, if it has one."""
    return _interval_of(pod) if pod.container_id else None


def spells_of(interval: UsageInterval) -> list[Spell]:
    """Return what is written of an interval's unusable time."""
    rows = UnusableTime.objects.filter(interval=interval).order_by("started_at", "pk")
    return [
        Spell(since=row.started_at, until=row.ended_at, cause=row.cause, evidence=row.evidence)
        for row in rows
    ]


def has_open_spell(interval: UsageInterval) -> bool:
    """Say whether the interval is unusable as far as is known."""
    return UnusableTime.objects.filter(interval=interval, ended_at__isnull=True).exists()


def unusable_or(
    faults: QuerySet[Outage], *, among: Collection[UsageInterval]
) -> list[UsageInterval]:
    """Return those with such a fault, or with an unusable time that may have to end."""
    open_spells = UnusableTime.objects.filter(interval=OuterRef("pk"), ended_at__isnull=True)
    either = Q(Exists(faults)) | Q(Exists(open_spells))
    rows = UsageInterval.objects.filter(either, pk__in={one.pk for one in among})
    return list(rows.order_by("started_at", "pk"))


def ended_with_open_spell(*, cluster_id: int) -> list[UsageInterval]:
    """Return the runs that are over and whose unusable time is not."""
    open_spells = UnusableTime.objects.filter(ended_at__isnull=True)
    over = UsageInterval.objects.filter(source=cluster_id, ended_at__isnull=False)
    return list(over.filter(pk__in=open_spells.values("interval")).order_by("pk"))


def write_spells(*, interval: UsageInterval, changes: Changes, at: datetime) -> None:
    """Carry what has changed of an interval's unusable time into billing."""
    if changes.end_open_at is not None:
        spell = UnusableTime.objects.get(interval=interval, ended_at__isnull=True)
        unusable.end_spell(spell=spell, ended_at=changes.end_open_at)
    for new in changes.begin:
        unusable.begin_spell(
            interval=interval,
            cause=new.cause,
            started_at=new.since,
            ended_at=new.until,
            evidence=new.evidence,
            at=at,
        )


def _fact_of(
    pod: ObservedPod,
    instance: Instance | None,
    *,
    witness: str | None = None,
    started_at: datetime | None = None,
) -> RunFact:
    started_at = started_at or pod.started_at
    if started_at is None:
        raise ValueError("a run has a start")
    return RunFact(
        source=pod.cluster_id,
        holder_uid=pod.uid,
        run_id=pod.container_id,
        meter=METER,
        resource_ref=str(instance.pk if instance else pod.instance_id or pod.name),
        account_id=instance.account_id if instance else NOBODY,
        project_id=instance.project_id if instance else NOBODY,
        sku_code=instance.sku_code if instance else "",
        quantity=instance.device_count if instance else 1,
        witness_ref=witness or pod.witness_ref or None,
        started_at=started_at,
        ended_at=pod.finished_at,
        end_quality=EndQuality.EXACT if pod.finished_at else None,
        end_reason=_end_reason(pod) if pod.finished_at else "",
    )


def _is_over(pod: ObservedPod) -> bool:
    return pod.phase in OVER or pod.container_state == "terminated"


def _end_reason(pod: ObservedPod) -> str:
    return (pod.exit_reason or pod.reason)[:100]


def _close(pod: ObservedPod, *, reason: str, at: datetime) -> UsageInterval | None:
    return metering.close_unproved(
        source=pod.cluster_id, holder_uid=pod.uid, run_id=pod.container_id, reason=reason, at=at
    )


def _is_given_up(pod: ObservedPod) -> bool:
    interval = _interval_of(pod)
    return interval is not None and interval.ended_at is not None


def _interval_of(pod: ObservedPod) -> UsageInterval | None:
    return UsageInterval.objects.filter(
        source=pod.cluster_id, holder_uid=pod.uid, run_id=pod.container_id
    ).first()
