"""What somebody who waits may be told: place, reason, when it is likely over, what else is free.

Reads rows; `foretelling` does the reckoning.  An instant is the latest one if every lease is
kept to its end: extended leases put it off, early stops bring it nearer.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from provisioning import foretelling, offers, queueing, stock
from provisioning.foretelling import Node, Return
from provisioning.models import (
    ClusterState,
    Instance,
    InstanceType,
    NodeCapacity,
    ObservedPod,
    Pool,
)
from provisioning.states import State


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What lies ahead of one instance in the queue; `starts_at` None: nobody can tell."""

    position: int
    waiting: int
    starts_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Substitute:
    """Another instance type that could start at once, and how many of it."""

    instance_type: InstanceType
    could_start: int


def prospect_of(instance: Instance, *, at: datetime) -> Prospect | None:
    """Return what lies ahead; None when the instance does not wait."""
    if instance.state != State.QUEUED:
        return None
    order = queueing.waiting_for(instance.instance_type.family_id)
    place = next((n for n, one in enumerate(order, 1) if one.id == instance.pk), None)
    if place is None:
        return None
    starts = starts_in(instance.instance_type.family_id, at=at)
    return Prospect(position=place, waiting=len(order), starts_at=starts.get(instance.pk))


def starts_in(family_id: int, *, at: datetime) -> dict[UUID, datetime]:
    """Return when each of those who wait for a family is expected to be served."""
    pools = list(Pool.objects.filter(family=family_id, cluster__state=ClusterState.ACTIVE))
    shelves, _ = stock.shelves_of(pools)
    rows = NodeCapacity.objects.filter(pool__in=pools, node__gone_at__isnull=True)
    sizes = {
        (pool, node): n for pool, node, n in rows.values_list("pool", "node__name", "capacity")
    }
    return foretelling.expected_starts(
        waiting=queueing.waiting_for(family_id),
        free={node: shelf.free for node, shelf in shelves.items()},
        sizes=sizes,
        returns=_returns(pools),
        now=at,
    )


def substitutes_of(instance: Instance, *, at: datetime) -> list[Substitute]:
    """Return what else could start now, while the instance waits."""
    return substitutes_for(instance.instance_type, at=at) if instance.state == State.QUEUED else []


def substitutes_for(instance_type: InstanceType, *, at: datetime) -> list[Substitute]:
    """Return other types with as many devices that could start now, those of its vendor first."""
    same_size = InstanceType.objects.filter(
        is_retired=False, device_count=instance_type.device_count
    ).exclude(family=instance_type.family)
    found = [
        Substitute(instance_type=other, could_start=number)
        for other in same_size.select_related("family__vendor").order_by("slug")
        if (number := could_start(other, at=at))
    ]
    vendor_id = instance_type.family.vendor_id
    return sorted(found, key=lambda each: each.instance_type.family.vendor_id != vendor_id)


def could_start(instance_type: InstanceType, *, at: datetime) -> int:
    """Count how many instances of a type would find room now, if those who wait for it did not."""
    if queueing.waiting_for(instance_type.family_id):
        return 0
    pools = offers.open_pools(family_id=instance_type.family_id, at=at)
    count = instance_type.device_count
    return sum(
        min(sum(free // count for free in offer.free_by_node), offer.free // count)
        for offer in offers.of_pools(list(pools))
    )


def _returns(pools: list[Pool]) -> list[Return]:
    """Who holds what until when; who has no end holds it for ever."""
    held = stock.holding(pools).filter(instance__ends_at__isnull=False)
    rows = list(held.values_list("uid", "pool", "device_count", "instance__ends_at"))
    nodes: defaultdict[object, str] = defaultdict(str)
    uids = [uid for uid, *_ in rows if uid]
    nodes.update(ObservedPod.objects.filter(uid__in=uids).values_list("uid", "node_name"))
    return [
        Return(at=ends_at, node=_node(pool, nodes[uid]), count=count)
        for uid, pool, count, ends_at in rows
        if nodes[uid] and ends_at is not None
    ]


def _node(pool: int, name: str) -> Node:
    return pool, name
