"""Say how much of a cluster's devices a tenant's namespace may hold, and by what claims.

Turns what the nodes have into the device part of a `NamespaceSpec`: amounts for what a
device plugin counts, classes and claim templates for what a driver hands out.
"""

from typing import Any

from django.db.models import Sum

from provisioning import deviceclaims
from provisioning.models import AllocationMode, Cluster, InstanceType, NodeCapacity, Pool
from provisioning.specs import DeviceRequest


def devices_on(cluster: Cluster) -> dict[str, Any]:
    """Return `devices`, `device_classes` and `requests` of every namespace on a cluster."""
    # What the nodes have, healthy or not: a device that recovers is not held up here.
    rows = (
        NodeCapacity.objects.filter(pool__cluster=cluster, node__gone_at__isnull=True)
        .values("pool__resource_name", "pool__allocation")
        .annotate(total=Sum("capacity"))
        .order_by("pool__resource_name")
    )
    totals: dict[str, list[tuple[str, int]]] = {mode: [] for mode in AllocationMode.values}
    for row in rows:
        totals[row["pool__allocation"]].append((row["pool__resource_name"], row["total"]))
    return {
        "devices": tuple(totals[AllocationMode.DEVICE_PLUGIN]),
        "device_classes": tuple(totals[AllocationMode.DRA]),
        "requests": tuple(_requests(cluster)),
    }


def _requests(cluster: Cluster) -> list[DeviceRequest]:
    pools = Pool.objects.filter(cluster=cluster, allocation=AllocationMode.DRA)
    requests = {
        # Retired sizes too: whoever has one may start it again.
        deviceclaims.request_of(
            device_class=pool.resource_name, dra=pool.family.dra, count=size.device_count
        )
        for pool in pools.select_related("family")
        for size in InstanceType.objects.filter(family=pool.family_id)
    }
    return sorted(requests, key=deviceclaims.template_name)
