"""Open and close the times in which a node or a device could not be used.

An outage once open stays one row however often it is told.  Those whose instances are
concerned are told, their unusable time is brought up to date, and what comes back into
sale wakes the queue.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from provisioning import events, queueing, unusable, waking
from provisioning.models import (
    Allocation,
    Attempt,
    Device,
    Instance,
    Node,
    NodeCapacity,
    ObservedPod,
    Outage,
    OutageCause,
)
from provisioning.states import Settlement

TOLD_AT_BEGIN: Final[Mapping[str, str]] = {
    OutageCause.DEVICE_UNHEALTHY: "device_unhealthy",
    OutageCause.DEVICE_METRIC: "device_unhealthy",
    OutageCause.NODE_UNREACHABLE: "node_unreachable",
}
TOLD_AT_END: Final[Mapping[str, str]] = {
    OutageCause.DEVICE_UNHEALTHY: "device_recovered",
    OutageCause.DEVICE_METRIC: "device_recovered",
    OutageCause.NODE_UNREACHABLE: "node_returned",
}
# A cluster whose clock runs further ahead than this is not believed.
CLOCK_TOLERANCE: Final = timedelta(seconds=60)


@transaction.atomic
def begin_outage(
    *,
    node: Node,
    device: Device | None = None,
    cause: OutageCause,
    told_at: datetime | None,
    evidence: Mapping[str, str],
    at: datetime,
) -> Outage:
    """Write that something cannot be used, from the instant the cluster told, else from now."""
    outage, is_new = Outage.objects.get_or_create(
        node=node,
        device=device,
        cause=cause,
        ended_at=None,
        defaults={
            "started_at": _start(node, device, cause, told_at, at),
            "evidence": {**evidence, "start": "cluster" if told_at else "observed"},
            "noticed_at": at,
        },
    )
    if is_new:
        _spread(outage, TOLD_AT_BEGIN[cause], at)
    return outage


@transaction.atomic
def end_outage(*, outage: Outage, told_at: datetime | None, at: datetime) -> None:
    """Write that it can be used again."""
    ended_at = max(outage.started_at, _believed(told_at, at) or at)
    evidence = {**outage.evidence, "end": "cluster" if told_at else "observed"}
    is_mine = Outage.objects.filter(pk=outage.pk, ended_at__isnull=True).update(
        ended_at=ended_at, end_noticed_at=at, evidence=evidence
    )
    if not is_mine:
        return
    outage.refresh_from_db()
    # A node that went has not come back, and whoever was on it hears of their pod.
    _spread(outage, TOLD_AT_END[outage.cause] if outage.node.gone_at is None else "", at)
    for family_id in _families(outage):
        queueing.wake_queue(family_id=family_id, at=at)


def open_outages() -> QuerySet[Outage]:
    """Return what cannot be used now."""
    rows = Outage.objects.filter(ended_at__isnull=True)
    return rows.select_related("node__cluster", "device__pool")


def holders_of(outage: Outage) -> list[Instance]:
    """Return the instances that hold what cannot be used."""
    node = outage.node
    if outage.device is not None:
        held = Allocation.objects.filter(
            cluster=node.cluster_id,
            node_uid=node.uid,
            resource_name=outage.device.pool.resource_name,
            device_id=outage.device.device_id,
            ended_at__isnull=True,
        )
        return list(Instance.objects.filter(pk__in=held.values("instance")).order_by("pk"))
    pods = ObservedPod.objects.filter(
        cluster=node.cluster_id, node_name=node.name, settlement=Settlement.OPEN
    )
    live = Attempt.objects.filter(cluster=node.cluster_id, uid__in=pods.values("uid"))
    return list(Instance.objects.filter(pk__in=live.values("instance")).order_by("pk"))


def _start(
    node: Node,
    device: Device | None,
    cause: OutageCause,
    told_at: datetime | None,
    at: datetime,
) -> datetime:
    before = Outage.objects.filter(node=node, device=device, cause=cause, ended_at__isnull=False)
    last = before.order_by("-ended_at").values_list("ended_at", flat=True).first()
    started_at = _believed(told_at, at) or at
    return max(started_at, last) if last else started_at


def _believed(told_at: datetime | None, at: datetime) -> datetime | None:
    return told_at if told_at is not None and told_at <= at + CLOCK_TOLERANCE else None


def _spread(outage: Outage, kind: str, at: datetime) -> None:
    unusable.refresh_outage(outage=outage, at=at)
    holders = holders_of(outage)
    waking.wake(Instance.objects.filter(pk__in=[holder.pk for holder in holders]), at=at)
    for instance in holders if kind else ():
        _tell(outage, kind, instance)


def _tell(outage: Outage, kind: str, instance: Instance) -> None:
    events.tell_tenant(
        kind=kind,
        tenant_id=instance.tenant_id,
        instance_id=instance.pk,
        at=outage.ended_at or outage.started_at,
        once=f"outage {outage.pk}",
        instance=instance.name,
        node=outage.node.name,
        device=outage.device.device_id if outage.device else "",
    )


def _families(outage: Outage) -> list[int]:
    if outage.device is not None:
        return [outage.device.pool.family_id]
    rows = NodeCapacity.objects.filter(node=outage.node)
    return sorted(set(rows.values_list("pool__family", flat=True)))
