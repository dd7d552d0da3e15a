"""Bring the unusable time of a run up to date with the outages of what it held.

Level-triggered: whoever begins or ends an outage, or a run, asks for the same comparison,
and asking twice writes nothing twice.  `usage` carries the result into billing.

Which clock: a device's outage begins and ends when the API server took in the kubelet's
word for it, a node's begins with the last renewal of its lease and ends when the kubelet
called itself ready again.  Our own clock is used only where the cluster told no instant,
and the evidence then says so.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Q

from billing.models import UsageInterval
from provisioning import covering, usage
from provisioning.covering import Spell
from provisioning.models import Allocation, Node, ObservedPod, Outage
from provisioning.states import Settlement


def refresh_pod(*, pod: ObservedPod, at: datetime) -> None:
    """Look again at the run of a pod that has just begun, changed or ended."""
    interval = usage.interval_of(pod)
    if interval is not None:
        refresh(interval=interval, at=at)


def concerned(intervals: Collection[UsageInterval]) -> list[UsageInterval]:
    """Return the runs that an outage of their nodes or devices may concern, at first sight."""
    held = Allocation.objects.filter(interval=OuterRef(OuterRef("pk")))
    pods = ObservedPod.objects.filter(
        cluster=OuterRef(OuterRef("source")), uid=OuterRef(OuterRef("holder_uid"))
    )
    where = Q(node__uid__in=held.values("node_uid")) | Q(
        node__cluster=OuterRef("source"), node__name__in=pods.values("node_name")
    )
    touching = Q(ended_at__isnull=True) | Q(ended_at__gt=OuterRef("started_at"))
    outages = Outage.objects.filter(where, touching)
    return usage.unusable_or(outages, among=intervals) if intervals else []


def refresh_outage(*, outage: Outage, at: datetime) -> None:
    """Look again at every run that an outage may concern."""
    for interval in _concerned(outage):
        refresh(interval=interval, at=at)


def refresh_open(*, cluster_id: int, at: datetime) -> None:
    """Look again at the runs of a cluster that ended while a spell of theirs was open."""
    for interval in usage.ended_with_open_spell(cluster_id=cluster_id):
        refresh(interval=interval, at=at)


@transaction.atomic
def refresh(*, interval: UsageInterval, at: datetime) -> None:
    """Write what the outages make of one run."""
    outages = list(_outages_of(interval))
    if not outages and not usage.has_open_spell(interval):
        return
    # One at a time, for two who compare at once would both write the difference.
    interval = UsageInterval.objects.select_for_update().get(pk=interval.pk)
    known = usage.spells_of(interval)
    changes = covering.changes_for(
        run=Spell(since=interval.started_at, until=interval.ended_at),
        faults=[_fault(outage) for outage in outages],
        known=known,
    )
    usage.write_spells(interval=interval, changes=changes, at=at)


def _fault(outage: Outage) -> Spell:
    # In whole seconds, as the ledger counts.
    since = outage.started_at.replace(microsecond=0)
    until = outage.ended_at.replace(microsecond=0) if outage.ended_at else None
    what = f"{outage.node.name}/{outage.device.device_id}" if outage.device else outage.node.name
    told = ", ".join(f"{key}: {value}" for key, value in sorted(outage.evidence.items()))
    return Spell(since=since, until=until, cause=outage.cause, evidence=f"{what} ({told})")


def _outages_of(interval: UsageInterval) -> Iterable[Outage]:
    held = Allocation.objects.filter(interval=interval)
    nodes = set(held.values_list("node_uid", flat=True)) or _node_uids(interval)
    if not nodes:
        return []
    touching = Outage.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=interval.started_at), node__uid__in=nodes
    )
    if interval.ended_at is not None:
        touching = touching.filter(started_at__lt=interval.ended_at)
    found = list(touching.select_related("node", "device__pool"))
    if not found:
        return []
    ids = set(held.values_list("node_uid", "resource_name", "device_id"))
    return [outage for outage in found if outage.device is None or _key(outage) in ids]


def _key(outage: Outage) -> tuple[object, str, str]:
    assert outage.device is not None  # noqa: S101 - asked by the caller
    return outage.node.uid, outage.device.pool.resource_name, outage.device.device_id


def _node_uids(interval: UsageInterval) -> set[UUID]:
    """Return the node of a run whose devices the cluster does not name."""
    pods = ObservedPod.objects.filter(cluster=interval.source, uid=interval.holder_uid)
    name = pods.values_list("node_name", flat=True).first()
    lives = Node.objects.filter(cluster=interval.source, name=name or "")
    latest = lives.filter(gone_at=None).first() or lives.order_by("-gone_at").first()
    return {latest.uid} if latest else set()


def _concerned(outage: Outage) -> Iterable[UsageInterval]:
    node = outage.node
    still_there = Q(ended_at__isnull=True) | Q(ended_at__gt=outage.started_at)
    held = Allocation.objects.filter(still_there, cluster=node.cluster_id, node_uid=node.uid)
    if outage.device is not None:
        held = held.filter(
            resource_name=outage.device.pool.resource_name, device_id=outage.device.device_id
        )
    mine = Q(pk__in=held.values("interval"))
    if outage.device is None:
        pods = ObservedPod.objects.filter(
            cluster=node.cluster_id, node_name=node.name, settlement=Settlement.OPEN
        )
        mine |= Q(source=node.cluster_id, holder_uid__in=pods.values("uid"))
    return list(UsageInterval.objects.filter(mine).order_by("pk"))
