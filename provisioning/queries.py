"""What others ask of provisioning: capacity, place in the queue, history, devices.

Nothing here writes, and nothing here asks a cluster.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum

from provisioning import queueing
from provisioning.models import (
    Allocation,
    Attempt,
    ClusterState,
    Instance,
    NodeCapacity,
    ObservedPod,
    Pool,
    Transition,
)
from provisioning.specs import OVER
from provisioning.states import AttemptState, State


@dataclass(frozen=True, kw_only=True)
class FamilyCapacity:
    """One pool as a tenant sees it: how many devices, how many of them healthy, how many free."""

    family_slug: str
    cluster_name: str
    resource_name: str
    total: int
    healthy: int
    free: int
    state_age_seconds: float | None


def capacity(*, at: datetime) -> list[FamilyCapacity]:
    """Return every pool of the clusters that take new pods, with the age of what we know."""
    pools = (
        Pool.objects.filter(cluster__state=ClusterState.ACTIVE)
        .select_related("cluster", "family")
        .order_by("family__slug", "cluster__name", "resource_name")
    )
    held = devices_held(pools)
    totals = {
        row["pool"]: row
        for row in present_capacity()
        .values("pool")
        .annotate(total=Sum("capacity"), healthy=Sum("allocatable"))
    }
    return [_seen_as(pool, totals.get(pool.pk), held[pool.pk], at) for pool in pools]


def present_capacity() -> QuerySet[NodeCapacity]:
    """Return the capacities of nodes that are there, ready, and take pods."""
    return NodeCapacity.objects.filter(
        node__gone_at__isnull=True, node__is_ready=True, node__is_schedulable=True
    )


def holding(pools: Iterable[Pool]) -> QuerySet[Attempt]:
    """Return the attempts that hold devices of the pools.

    A finished pod's devices are free at once, long before the pod itself is gone.
    """
    live = Attempt.objects.filter(pool__in=pools).exclude(state=AttemptState.GONE)
    over = ObservedPod.objects.filter(uid__in=live.values("uid"), phase__in=OVER).values("uid")
    return live.exclude(uid__in=over)


def devices_held(pools: Iterable[Pool]) -> defaultdict[int, int]:
    """Count the devices our attempts hold, per pool."""
    held: defaultdict[int, int] = defaultdict(int)
    rows = holding(pools).values("pool").annotate(held=Sum("device_count"))
    held.update({row["pool"]: row["held"] for row in rows})
    return held


def _seen_as(
    pool: Pool, totals: Mapping[str, Any] | None, held: int, at: datetime
) -> FamilyCapacity:
    total, healthy = (totals["total"], totals["healthy"]) if totals else (0, 0)
    seen = pool.cluster.last_event_at
    return FamilyCapacity(
        family_slug=pool.family.slug,
        cluster_name=pool.cluster.name,
        resource_name=pool.resource_name,
        total=total,
        healthy=healthy,
        free=max(0, healthy - held),
        state_age_seconds=max(0.0, (at - seen).total_seconds()) if seen else None,
    )


def find_instance(instance_id: UUID | None) -> Instance | None:
    """Return the instance a pod claims to be of, if we know it."""
    if instance_id is None:
        return None
    return Instance.objects.filter(pk=instance_id).first()


def queue_position(instance: Instance) -> int | None:
    """Return the instance's place among those waiting for the same family, from 1."""
    return queueing.position_of(instance) if instance.state == State.QUEUED else None


def timeline(instance: Instance) -> list[Transition]:
    """Return the instance's changes of state, oldest first."""
    return list(instance.transitions.order_by("id"))


def attempts_of(instance: Instance) -> list[Attempt]:
    """Return the tries to run the instance, each one pod of one cluster, oldest first."""
    return list(instance.attempts.select_related("cluster").order_by("no"))


def devices_of(instance: Instance) -> list[Allocation]:
    """Return the devices the instance holds and held, oldest first."""
    return list(instance.allocations.order_by("started_at", "node_name", "device_id"))
