"""Take in what is said of single devices: pods, slices and node counts in, outages out.

A pod's status names each device the pod holds, and its health; a resource slice names
them all.  A node's counts only say how many are well, which settles one thing: where all
are, none is ill.  `Unknown` takes a device out of sale and counts nobody's time: a plugin
that restarts says it of devices that work.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from provisioning import outages
from provisioning.models import (
    AllocationMode,
    Attempt,
    Device,
    Health,
    Node,
    ObservedPod,
    Outage,
    OutageCause,
    Pool,
)
from provisioning.podstatus import instant_of
from provisioning.specs import OVER

# The node's count and the pod's word are not written at the same moment.
COUNT_LAG: Final = timedelta(seconds=60)
_TOLD: Final = {"Healthy": Health.HEALTHY, "Unhealthy": Health.UNHEALTHY}


def hear_from_pod(*, pod: ObservedPod, at: datetime) -> None:
    """Take in what a pod says of the devices it holds; one that is over says nothing new."""
    if not pod.devices or not pod.node_name or pod.phase in OVER or pod.gone_at is not None:
        return
    node = Node.objects.filter(cluster=pod.cluster_id, name=pod.node_name, gone_at=None).first()
    pools = _pools_of(pod)
    if node is None or not pools:
        return
    for told in pod.devices:
        pool = pools.get(told["resource_name"])
        # Of claimed devices the slice says how they are, and the pod only which it holds.
        if pool is not None and pool.allocation != AllocationMode.DRA:
            hear(
                node=node,
                pool=pool,
                device_id=told["device_id"],
                health=_TOLD.get(told["health"], Health.UNKNOWN),
                told_at=instant_of(told.get("told_at")),
                source=f"pod {pod.namespace}/{pod.name}",
                at=at,
            )


def record_devices(
    *, node: Node, pool: Pool, devices: Iterable[tuple[str, Health]], at: datetime
) -> None:
    """Take in a complete list of a node's devices with their health, as a driver publishes it."""
    for device_id, told in devices:
        hear(
            node=node,
            pool=pool,
            device_id=device_id,
            health=told,
            told_at=None,
            source="resource slice",
            at=at,
        )


def hear(
    *,
    node: Node,
    pool: Pool,
    device_id: str,
    health: Health,
    told_at: datetime | None,
    source: str,
    at: datetime,
) -> Device:
    """Take in one word about one device."""
    device = _seen(node, pool, device_id, at)
    if device.health != health or device.health_since is None:
        device.health, device.health_since = health, told_at or at
        device.save(update_fields=["health", "health_since"])
    ill = device.outages.filter(cause=OutageCause.DEVICE_UNHEALTHY, ended_at=None).first()
    if health == Health.UNHEALTHY and ill is None:
        outages.begin_outage(
            node=node,
            device=device,
            cause=OutageCause.DEVICE_UNHEALTHY,
            told_at=told_at,
            evidence={"told by": source},
            at=at,
        )
    elif health == Health.HEALTHY and ill is not None:
        outages.end_outage(outage=ill, told_at=told_at, at=at)
    return device


def hear_counts(well: Collection[tuple[int, int]], *, at: datetime) -> None:
    """End the outages of devices nobody holds, where a node counts all of a pool as well."""
    ill = Outage.objects.filter(
        cause=OutageCause.DEVICE_UNHEALTHY, ended_at__isnull=True, noticed_at__lt=at - COUNT_LAG
    )
    for outage in ill.select_related("device", "node"):
        device = outage.device
        if device is None or (outage.node_id, device.pool_id) not in well:
            continue
        if device.device_id not in _held_on(outage.node):
            device.health, device.health_since = Health.HEALTHY, at
            device.save(update_fields=["health", "health_since"])
            outages.end_outage(outage=outage, told_at=None, at=at)


def _seen(node: Node, pool: Pool, device_id: str, at: datetime) -> Device:
    device, _ = Device.objects.get_or_create(
        node=node, pool=pool, device_id=device_id, defaults={"first_seen_at": at, "seen_at": at}
    )
    return device


def _pools_of(pod: ObservedPod) -> dict[str, Pool]:
    """Return the pools a pod's resources may be of: its attempt's first, for names are shared."""
    pools = {
        pool.resource_name: pool
        for pool in Pool.objects.filter(cluster=pod.cluster_id).order_by("-pk")
    }
    attempt = Attempt.objects.filter(uid=pod.uid).select_related("pool").first()
    return pools | ({attempt.pool.resource_name: attempt.pool} if attempt else {})


def _held_on(node: Node) -> set[str]:
    pods = ObservedPod.objects.filter(
        cluster=node.cluster_id, node_name=node.name, gone_at__isnull=True
    ).exclude(phase__in=OVER)
    told = pods.values_list("devices", flat=True)
    return {device["device_id"] for devices in told for device in devices}
