"""What each pool has free right now, for `placing` to choose from."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from provisioning import queries
from provisioning.models import ClusterState, ObservedPod, Pool
from provisioning.placing import Offer

NodeName = tuple[int, str]
"""A cluster and the name of one of its nodes."""


def lock_pools(*, family_id: int, at: datetime) -> list[Pool]:
    """Lock the family's pools on clusters that take pods and answer."""
    answers = Q(cluster__breaker_until__isnull=True) | Q(cluster__breaker_until__lte=at)
    pools = Pool.objects.select_for_update(of=("self",), no_key=True).filter(
        answers, family=family_id, cluster__state=ClusterState.ACTIVE
    )
    return list(pools.select_related("cluster", "family__vendor").order_by("pk"))


def of_pools(pools: list[Pool], *, without: Collection[NodeName] = ()) -> list[Offer]:
    """Count what is free on every node of the pools, but for those to be left out."""
    healthy: defaultdict[int, dict[str, int]] = defaultdict(dict)
    largest: defaultdict[int, int] = defaultdict(int)
    rows = queries.present_capacity().filter(pool__in=pools)
    clusters = {pool.pk: pool.cluster_id for pool in pools}
    for pool_id, node, count in rows.values_list("pool", "node__name", "allocatable"):
        if (clusters[pool_id], node) not in without:
            healthy[pool_id][node] = count
    everything = Pool.objects.filter(pk__in=[pool.pk for pool in pools])
    for pool_id, count in everything.filter(capacities__node__gone_at__isnull=True).values_list(
        "pk", "capacities__capacity"
    ):
        largest[pool_id] = max(largest[pool_id], count or 0)
    promised = _take_held(pools, healthy)
    return [
        Offer(
            pool_id=pool.pk,
            name=str(pool),
            free_by_node=tuple(max(0, free) for free in healthy[pool.pk].values()),
            largest_node=largest[pool.pk],
            promised=promised[pool.pk],
        )
        for pool in pools
    ]


def _take_held(pools: list[Pool], healthy: dict[int, dict[str, int]]) -> dict[int, int]:
    """Take held devices off their nodes; returns what is promised to pods not on a node yet."""
    promised: defaultdict[int, int] = defaultdict(int)
    held = list(queries.holding(pools).values_list("pool", "uid", "device_count"))
    uids = [uid for _, uid, _ in held if uid]
    seen = ObservedPod.objects.filter(uid__in=uids).values_list("uid", "node_name")
    nodes: dict[UUID | None, str] = dict(seen)
    for pool_id, uid, count in held:
        node = nodes.get(uid) or ""
        if node in healthy[pool_id]:
            healthy[pool_id][node] -= count
        elif not node:
            promised[pool_id] += count
    return promised
