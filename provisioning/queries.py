"""What others ask of provisioning: capacity, place in the queue, history, devices.

Nothing here writes, and nothing here asks a cluster.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from provisioning import freshness, queueing, stock
from provisioning.models import (
    Allocation,
    Attempt,
    ClusterState,
    Instance,
    Pool,
    Transition,
)
from provisioning.states import State
from provisioning.stock import Shelf


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

    @property
    def is_stale(self) -> bool:
        """Whether that is too old to be relied on."""
        return freshness.is_stale(self.state_age_seconds)


def capacity(*, at: datetime) -> list[FamilyCapacity]:
    """Return every pool of the clusters that take new pods, with the age of what we know."""
    pools = (
        Pool.objects.filter(cluster__state=ClusterState.ACTIVE)
        .select_related("cluster", "family")
        .order_by("family__slug", "cluster__name", "resource_name")
    )
    shelves, promised = stock.shelves_of(pools)
    return [
        _seen_as(
            pool,
            [shelf for shelf in shelves.values() if shelf.pool_id == pool.pk],
            promised.get(pool.pk, 0),
            at,
        )
        for pool in pools
    ]


def _seen_as(pool: Pool, shelves: list[Shelf], promised: int, at: datetime) -> FamilyCapacity:
    return FamilyCapacity(
        family_slug=pool.family.slug,
        cluster_name=pool.cluster.name,
        resource_name=pool.resource_name,
        total=sum(shelf.capacity for shelf in shelves),
        healthy=sum(shelf.capacity - shelf.out for shelf in shelves),
        free=max(0, sum(shelf.free for shelf in shelves) - promised),
        state_age_seconds=freshness.age_of(pool.cluster, at=at),
    )


def find_instance(instance_id: UUID | None) -> Instance | None:
    """Return one instance, if we know it."""
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
