"""Count what is free on every node of a pool: rows in, one shelf per pool and node out.

Three things take devices off a shelf: pods that hold them, illness, and a person.  They
overlap, and no device is taken off twice.  Ill devices are known by number from the node
and, as far as somebody held them or an exporter names them, by id.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from provisioning.models import Attempt, Device, Health, NodeCapacity, ObservedPod, Pool
from provisioning.specs import OVER
from provisioning.states import AttemptState

Shelves = dict[tuple[int, str], "Shelf"]


@dataclass
class Shelf:
    """One pool's devices on one node."""

    pool_id: int
    cluster_id: int
    node_name: str
    capacity: int
    allocatable: int
    held: int = 0
    held_ids: set[str] = field(default_factory=set)
    ill: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)

    @property
    def out(self) -> int:
        """Return how many are ill or stopped, each counted once."""
        # The node counts the ill ones too, but not all: some plugins call everything healthy.
        return max(self.capacity - self.allocatable, len(self.ill)) + len(self.stopped - self.ill)

    @property
    def free(self) -> int:
        """Return how many nobody holds that are well and for sale."""
        held_and_out = len(self.held_ids & (self.ill | self.stopped))
        return max(0, self.capacity - self.out - (self.held - held_and_out))


def shelves_of(pools: Iterable[Pool]) -> tuple[Shelves, dict[int, int]]:
    """Return the shelves of nodes that sell, and what is promised to pods on no node yet."""
    wanted = list(pools)
    rows = present_capacity().filter(pool__in=wanted)
    shelves = {
        (pool_id, name): Shelf(pool_id, cluster_id, name, capacity, allocatable)
        for pool_id, cluster_id, name, capacity, allocatable in rows.values_list(
            "pool", "node__cluster", "node__name", "capacity", "allocatable"
        )
    }
    _take_out(wanted, shelves)
    return shelves, _take_held(wanted, shelves)


def present_capacity() -> QuerySet[NodeCapacity]:
    """Return the capacities of nodes that are there, ready, and for sale."""
    return NodeCapacity.objects.filter(
        node__gone_at__isnull=True,
        node__is_ready=True,
        node__is_schedulable=True,
        node__stopped_at__isnull=True,
    )


def holding(pools: Iterable[Pool]) -> QuerySet[Attempt]:
    """Return the attempts that hold devices of the pools.

    A finished pod's devices are free at once, long before the pod itself is gone.
    """
    live = Attempt.objects.filter(pool__in=pools).exclude(state=AttemptState.GONE)
    over = ObservedPod.objects.filter(uid__in=live.values("uid"), phase__in=OVER).values("uid")
    return live.exclude(uid__in=over)


def _take_out(pools: list[Pool], shelves: Shelves) -> None:
    ill = Q(health=Health.UNHEALTHY) | Q(metric_health=Health.UNHEALTHY)
    rows = Device.objects.filter(
        ill | Q(stopped_at__isnull=False), pool__in=pools, node__gone_at__isnull=True
    )
    for device in rows.select_related("node"):
        shelf = shelves.get((device.pool_id, device.node.name))
        if shelf is None:
            continue
        if Health.UNHEALTHY in (device.health, device.metric_health):
            shelf.ill.add(device.device_id)
        if device.stopped_at is not None:
            shelf.stopped.add(device.device_id)


def _take_held(pools: list[Pool], shelves: Shelves) -> dict[int, int]:
    promised: defaultdict[int, int] = defaultdict(int)
    held = list(holding(pools).values_list("pool", "uid", "device_count"))
    uids = [uid for _, uid, _ in held if uid]
    seen: dict[Any, tuple[str, list[dict[str, str]]]] = {
        uid: (node, devices)
        for uid, node, devices in ObservedPod.objects.filter(uid__in=uids).values_list(
            "uid", "node_name", "devices"
        )
    }
    kin = {pool.pk: (pool.cluster_id, pool.family_id) for pool in pools}
    heirs = {(*kin[shelf.pool_id], shelf.node_name): shelf for shelf in shelves.values()}
    for pool_id, uid, count in held:
        node, devices = seen.get(uid, ("", []))
        # A node that offers its devices by another name now has them still in use by the old one.
        shelf = shelves.get((pool_id, node)) or heirs.get((*kin[pool_id], node))
        if shelf is not None:
            shelf.held += count
            shelf.held_ids |= {device["device_id"] for device in devices}
        elif not node:
            promised[pool_id] += count
    return promised
