"""Write what the nodes of a cluster are and what they offer.

Turns raw nodes and leases into Node, Pool and NodeCapacity rows.  Which family a resource
name means is asked of the catalogue and, where the name leaves it open, of the vendor.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from provisioning import (
    health,
    hearing,
    offering,
    podstatus,
    queueing,
    reachability,
    slices,
    waking,
    warning,
)
from provisioning.models import Cluster, Family, Instance, Node, NodeCapacity, ObservedPod, Pool
from provisioning.slices import Published

Raw = Mapping[str, Any]


_HEARD: Final = (
    "name",
    "boot_id",
    "is_ready",
    "is_schedulable",
    "ready_changed_at",
    "lease_renewed_at",
    "seen_at",
    "gone_at",
)


@dataclass(frozen=True)
class Found:
    """One node as the cluster describes it."""

    uid: UUID
    name: str
    boot_id: str
    is_ready: bool
    # The Ready condition is not known: nobody hears of the node.
    is_silent: bool
    ready_changed_at: datetime | None
    is_schedulable: bool
    labels: Mapping[str, str]
    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    lease_renewed_at: datetime | None


def read_nodes(nodes: Iterable[Raw], leases: Iterable[Raw]) -> list[Found]:
    """Read raw nodes and their leases."""
    renewed = {
        str(lease["metadata"]["name"]): podstatus.instant_of(lease["spec"].get("renewTime"))
        for lease in leases
        if isinstance(lease.get("spec"), Mapping)
    }
    return [_read(node, renewed) for node in nodes]


def record_nodes(
    *, cluster: Cluster, found: list[Found], at: datetime, published: Published | None = None
) -> dict[str, Node]:
    """Write the nodes and what they offer, and return the present ones by name."""
    with transaction.atomic():
        known = {node.uid: node for node in Node.objects.filter(cluster=cluster)}
        gone = [node for uid, node in known.items() if uid not in {n.uid for n in found}]
        # A node registered again under its name is another life; the old one leaves first.
        _leave([node for node in gone if node.gone_at is None], at)
        nodes = {node.name: _arrive(cluster, node, known.get(node.uid), at) for node in found}
        sorted_out = _sort_out(found, published or Published())
        grown, well = _record_capacity(cluster, sorted_out, nodes)
        health.hear_counts(well, at=at)
        if published:
            hearing.hear_slices(cluster=cluster, nodes=nodes, published=published, at=at)
        oddities = {name: node.oddities for name, node in sorted_out.items()}
        warning.record_oddities(cluster=cluster, of_nodes=oddities, at=at)
    for family_id in grown:
        queueing.wake_queue(family_id=family_id, at=at)
    return nodes


@transaction.atomic
def forget_nodes(*, cluster: Cluster, at: datetime) -> None:
    """Write that none of a cluster's nodes is there any more."""
    _leave(list(Node.objects.filter(cluster=cluster, gone_at__isnull=True)), at)


def _read(node: Raw, renewed: Mapping[str, datetime | None]) -> Found:
    metadata, status = node["metadata"], node.get("status") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    name = str(metadata["name"])
    return Found(
        uid=UUID(metadata["uid"]),
        name=name,
        boot_id=str((status.get("nodeInfo") or {}).get("bootID") or ""),
        is_ready=ready.get("status") == "True",
        is_silent=ready.get("status") == "Unknown",
        ready_changed_at=podstatus.instant_of(ready.get("lastTransitionTime")),
        is_schedulable=not (node.get("spec") or {}).get("unschedulable", False),
        labels=metadata.get("labels") or {},
        capacity=status.get("capacity") or {},
        allocatable=status.get("allocatable") or {},
        lease_renewed_at=renewed.get(name),
    )


def _leave(nodes: list[Node], at: datetime) -> None:
    for node in nodes:
        node.gone_at, node.is_ready = at, False
        node.save(update_fields=["gone_at", "is_ready"])
        reachability.forget_node(node=node, at=at)
        _tell_pods_on(node, at)


def _arrive(cluster: Cluster, found: Found, known: Node | None, at: datetime) -> Node:
    node = known or Node(cluster=cluster, uid=found.uid)
    is_other = node.is_ready != found.is_ready or node.gone_at is not None
    node.name, node.boot_id = found.name, found.boot_id
    node.is_ready, node.is_schedulable = found.is_ready, found.is_schedulable
    node.ready_changed_at = found.ready_changed_at or node.ready_changed_at
    node.lease_renewed_at = found.lease_renewed_at or node.lease_renewed_at
    node.seen_at, node.gone_at = at, None
    # What a person has said of it meanwhile is not ours to write.
    node.save(update_fields=_HEARD if known else None)
    if is_other:
        _tell_pods_on(node, at)
        reachability.follow_node(node=node, is_silent=found.is_silent, at=at)
    return node


def _tell_pods_on(node: Node, at: datetime) -> None:
    pods = ObservedPod.objects.filter(
        cluster=node.cluster_id, node_name=node.name, gone_at__isnull=True
    )
    waking.wake(Instance.objects.filter(pk__in=pods.values("instance_id")), at=at)


def _sort_out(found: list[Found], published: Published) -> dict[str, offering.Sorted]:
    families = list(Family.objects.select_related("vendor").order_by("slug"))
    return {
        node.name: offering.sort_out(
            labels=node.labels,
            capacity=node.capacity,
            allocatable=node.allocatable,
            families=families,
            from_slices=slices.offers_of(
                devices=published.on(node.name), classes=published.classes, families=families
            ),
        )
        for node in found
    }


def _record_capacity(
    cluster: Cluster, sorted_out: Mapping[str, offering.Sorted], nodes: Mapping[str, Node]
) -> tuple[set[int], list[tuple[int, int]]]:
    """Write what each node offers; returns which families grew, and where all devices are well."""
    before = {
        (row.node_id, row.pool_id): row
        for row in NodeCapacity.objects.filter(node__cluster=cluster)
    }
    pools = {
        (pool.family_id, pool.resource_name): pool for pool in Pool.objects.filter(cluster=cluster)
    }
    grown: set[int] = set()
    well: list[tuple[int, int]] = []
    offered: set[tuple[int, int]] = set()
    for name, node in sorted_out.items():
        for offer in node.offers:
            pool = pools.get((offer.family.pk, offer.resource_name)) or _new_pool(cluster, offer)
            pools[offer.family.pk, offer.resource_name] = pool
            key = (nodes[name].pk, pool.pk)
            offered.add(key)
            row = before.get(key) or NodeCapacity(node_id=key[0], pool_id=key[1], allocatable=0)
            if offer.allocatable > row.allocatable:
                grown.add(offer.family.pk)
            counted = (offer.capacity, offer.allocatable)
            if row.pk is None or (row.capacity, row.allocatable) != counted:
                row.capacity, row.allocatable = counted
                row.save()
            if offer.allocatable >= offer.capacity:
                well.append((row.node_id, row.pool_id))
    stale = [row.pk for key, row in before.items() if key not in offered]
    NodeCapacity.objects.filter(pk__in=stale).delete()
    return grown, well


def _new_pool(cluster: Cluster, offer: offering.Offer) -> Pool:
    pool, _ = Pool.objects.get_or_create(
        cluster=cluster,
        family=offer.family,
        resource_name=offer.resource_name,
        defaults={"allocation": offer.allocation},
    )
    return pool
