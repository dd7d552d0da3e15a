"""Hear from resource slices how single devices are, and pass on only what is news."""

from collections.abc import Mapping
from datetime import datetime

from provisioning import health
from provisioning.models import AllocationMode, Cluster, Device, Health, Node, Pool
from provisioning.slices import Published, SlicedDevice, belongs


def hear_slices(
    *, cluster: Cluster, nodes: Mapping[str, Node], published: Published, at: datetime
) -> None:
    """Take in the published devices of the pools that drivers hand out."""
    pools = list(
        Pool.objects.filter(cluster=cluster, allocation=AllocationMode.DRA).select_related("family")
    )
    if not pools:
        return
    rows = Device.objects.filter(pool__in=pools, node__gone_at__isnull=True)
    said = rows.values_list("node", "pool", "device_id", "health")
    known = {(node_id, pool_id, name): told for node_id, pool_id, name, told in said}
    for pool in pools:
        for name, node in nodes.items():
            of_it = [one for one in published.on(name) if belongs(one, pool.family)]
            news = [(one.id, _health_of(one)) for one in of_it]
            news = [(i, told) for i, told in news if known.get((node.pk, pool.pk, i)) != told]
            health.record_devices(node=node, pool=pool, devices=news, at=at)


def _health_of(device: SlicedDevice) -> Health:
    # What is only closed to new pods, as before an upgrade, works for whoever holds it.
    return Health.UNHEALTHY if device.is_ill else Health.HEALTHY
