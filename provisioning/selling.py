"""Take nodes and devices out of sale by hand, and say which nodes are closed to whom.

Nothing is asked of the cluster: what runs, runs on, and no new pod of ours goes there.  A
closed node is thereby drained: it is empty when the last lease on it ends.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from provisioning import queueing
from provisioning.errors import IllegalSpec
from provisioning.models import Device, MaintenanceWindow, Node, NodeCapacity, Pool
from provisioning.offers import NodeName

# Whoever names no end is taken to stay for this long.
WITHOUT_END: Final = timedelta(hours=24)
LONGEST_REASON: Final = 300


def stop_node(*, node: Node, reason: str, by: str, at: datetime) -> None:
    """Place nothing more on a node; a second stop changes nothing."""
    _require(reason)
    Node.objects.filter(pk=node.pk, stopped_at=None).update(
        stopped_at=at, stopped_by=by, stop_reason=reason
    )


@transaction.atomic
def resume_node(*, node: Node, at: datetime) -> None:
    """Sell a node again."""
    Node.objects.filter(pk=node.pk).update(stopped_at=None, stopped_by="", stop_reason="")
    rows = NodeCapacity.objects.filter(node=node)
    wake(rows.values_list("pool__family", flat=True), at=at)


def stop_device(*, device: Device, reason: str, by: str, at: datetime) -> None:
    """Count a device as not free.

    Which device a pod gets is the kubelet's choice: this keeps one device too few from
    being sold, not this very one from being handed out.
    """
    _require(reason)
    Device.objects.filter(pk=device.pk, stopped_at=None).update(
        stopped_at=at, stopped_by=by, stop_reason=reason
    )


@transaction.atomic
def resume_device(*, device: Device, at: datetime) -> None:
    """Sell a device again."""
    Device.objects.filter(pk=device.pk).update(stopped_at=None, stopped_by="", stop_reason="")
    wake([device.pool.family_id], at=at)


def closed_nodes(
    *, until: datetime | None, pools: Iterable[Pool], at: datetime
) -> frozenset[NodeName]:
    """Return the nodes on which nobody may be placed who is to stay until then."""
    clusters = {pool.cluster_id for pool in pools}
    present = Node.objects.filter(cluster__in=clusters, gone_at__isnull=True)
    stopped = present.filter(stopped_at__isnull=False)
    closed = Q(pk__in=stopped.values("pk"))
    for window in windows_before(until or at + WITHOUT_END, at=at).filter(cluster__in=clusters):
        closed |= covered_by(window)
    return frozenset(present.filter(closed).values_list("cluster", "name"))


def windows_before(until: datetime, *, at: datetime) -> QuerySet[MaintenanceWindow]:
    """Return the windows that are open or open before an instant."""
    return coming_windows(at=at).filter(starts_at__lt=until)


def coming_windows(*, at: datetime) -> QuerySet[MaintenanceWindow]:
    """Return the windows that are open or will be."""
    return MaintenanceWindow.objects.filter(ends_at__gt=at, cancelled_at=None, ended_at=None)


def covered_by(window: MaintenanceWindow) -> Q:
    """Return which nodes a window is about: its own, or all of its cluster."""
    named = list(window.nodes.values_list("pk", flat=True))
    return Q(pk__in=named) if named else Q(cluster=window.cluster_id)


def wake(families: Iterable[int], *, at: datetime) -> None:
    """Let those look again who wait for one of these."""
    for family_id in sorted(set(families)):
        queueing.wake_queue(family_id=family_id, at=at)


def _require(reason: str) -> None:
    if not reason.strip() or len(reason) > LONGEST_REASON or "\x00" in reason:
        raise IllegalSpec("Say why it is taken out of sale.")
