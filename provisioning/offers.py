"""What each pool has free right now, for `placing` to choose from."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from django.db.models import Q, QuerySet

from provisioning import stock
from provisioning.models import ClusterState, Hold, NodeCapacity, Pool
from provisioning.placing import Offer

NodeName = tuple[int, str]
"""A cluster and the name of one of its nodes."""


def open_pools(*, family_id: int, at: datetime) -> QuerySet[Pool]:
    """Return the family's pools on clusters that take pods, answer and are not held."""
    answers = Q(cluster__breaker_until__isnull=True) | Q(cluster__breaker_until__lte=at)
    held = Hold.objects.filter(released_at=None)
    return Pool.objects.filter(
        answers, family=family_id, cluster__state=ClusterState.ACTIVE
    ).exclude(cluster__in=held.values("cluster"))


def lock_pools(*, family_id: int, at: datetime) -> list[Pool]:
    """Lock the pools a pod may be placed in."""
    pools = open_pools(family_id=family_id, at=at)
    locked = pools.select_for_update(of=("self",), no_key=True)
    return list(locked.select_related("cluster", "family__vendor").order_by("pk"))


def of_pools(pools: list[Pool], *, without: Collection[NodeName] = ()) -> list[Offer]:
    """Count what is free on every node of the pools, but for those to be left out."""
    shelves, promised = stock.shelves_of(pools)
    free: defaultdict[int, list[int]] = defaultdict(list)
    for shelf in shelves.values():
        if (shelf.cluster_id, shelf.node_name) not in without:
            free[shelf.pool_id].append(shelf.free)
    largest = _largest_nodes(pools)
    return [
        Offer(
            pool_id=pool.pk,
            name=str(pool),
            free_by_node=tuple(free[pool.pk]),
            largest_node=largest[pool.pk],
            promised=promised.get(pool.pk, 0),
        )
        for pool in pools
    ]


def _largest_nodes(pools: list[Pool]) -> dict[int, int]:
    """Return what the largest node of each pool has, be it full, ill or closed."""
    largest = dict.fromkeys((pool.pk for pool in pools), 0)
    rows = NodeCapacity.objects.filter(pool__in=pools, node__gone_at__isnull=True)
    for pool_id, count in rows.values_list("pool", "capacity"):
        largest[pool_id] = max(largest[pool_id], count)
    return largest
