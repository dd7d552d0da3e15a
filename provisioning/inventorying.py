"""Write what the nodes of a cluster are and what they offer.

Turns raw nodes and leases into Node, Pool and NodeCapacity rows.  Which family a resource
name means is asked of the catalogue and, where the name leaves it open, of the vendor.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from provisioning import deferring, podstatus, queueing
from provisioning.models import Cluster, Family, Instance, Node, NodeCapacity, ObservedPod, Pool
from provisioning.vendors import VENDORS, NodeOffer

logger = logging.getLogger(__name__)

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """One node as the cluster describes it."""

    uid: UUID
    name: str
    boot_id: str
    is_ready: bool
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


def record_nodes(*, cluster: Cluster, found: list[Found], at: datetime) -> dict[str, Node]:
    """Write the nodes, and return the present ones by name."""
    with transaction.atomic():
        known = {node.uid: node for node in Node.objects.filter(cluster=cluster)}
        gone = [node for uid, node in known.items() if uid not in {n.uid for n in found}]
        # A node registered again under its name is another life; the old one leaves first.
        _leave([node for node in gone if node.gone_at is None], at)
        nodes = {node.name: _arrive(cluster, node, known.get(node.uid), at) for node in found}
        grown = _record_capacity(cluster, found, nodes)
    for family_id in grown:
        queueing.wake_queue(family_id=family_id, at=at)
    return nodes


def _read(node: Raw, renewed: Mapping[str, datetime | None]) -> Found:
    metadata, status = node["metadata"], node.get("status") or {}
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}
    name = str(metadata["name"])
    return Found(
        uid=UUID(metadata["uid"]),
        name=name,
        boot_id=str((status.get("nodeInfo") or {}).get("bootID") or ""),
        is_ready=conditions.get("Ready") == "True",
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
        _tell_pods_on(node, at)


def _arrive(cluster: Cluster, found: Found, node: Node | None, at: datetime) -> Node:
    node = node or Node(cluster=cluster, uid=found.uid)
    is_other = node.is_ready != found.is_ready or node.gone_at is not None
    node.name, node.boot_id = found.name, found.boot_id
    node.is_ready, node.is_schedulable = found.is_ready, found.is_schedulable
    node.lease_renewed_at = found.lease_renewed_at or node.lease_renewed_at
    node.seen_at, node.gone_at = at, None
    node.save()
    if is_other:
        _tell_pods_on(node, at)
    return node


def _tell_pods_on(node: Node, at: datetime) -> None:
    pods = ObservedPod.objects.filter(
        cluster=node.cluster_id, node_name=node.name, gone_at__isnull=True
    )
    Instance.objects.filter(pk__in=pods.values("instance_id")).update(
        observation_seq=F("observation_seq") + 1, next_reconcile_at=at
    )
    deferring.defer_drain()


def _record_capacity(cluster: Cluster, found: list[Found], nodes: Mapping[str, Node]) -> set[int]:
    """Write what each node offers; returns the families of which there is more than before."""
    families = _families_by_name()
    before = {
        (row.node_id, row.pool_id): row
        for row in NodeCapacity.objects.filter(node__cluster=cluster)
    }
    grown: set[int] = set()
    offered: set[tuple[int, int]] = set()
    for node in found:
        for resource_name, family in _offers(node, families):
            pool = _pool(cluster, family, resource_name)
            key = (nodes[node.name].pk, pool.pk)
            offered.add(key)
            count, usable = _counts(node, resource_name)
            row = before.get(key) or NodeCapacity(node_id=key[0], pool_id=key[1], allocatable=0)
            if usable > row.allocatable:
                grown.add(family.pk)
            if row.pk is None or (row.capacity, row.allocatable) != (count, usable):
                row.capacity, row.allocatable = count, usable
                row.save()
    stale = [row.pk for key, row in before.items() if key not in offered]
    NodeCapacity.objects.filter(pk__in=stale).delete()
    return grown


def _families_by_name() -> dict[str, list[Family]]:
    by_name: dict[str, list[Family]] = {}
    for family in Family.objects.select_related("vendor").order_by("slug"):
        for resource_name in family.resource_names:
            by_name.setdefault(resource_name, []).append(family)
    return by_name


def _offers(node: Found, families: Mapping[str, list[Family]]) -> Iterable[tuple[str, Family]]:
    for resource_name in node.capacity:
        candidates = families.get(resource_name)
        if not candidates:
            continue
        offer = NodeOffer(
            resource_name=resource_name,
            labels=node.labels,
            families=tuple(family.slug for family in candidates),
        )
        slug = VENDORS[candidates[0].vendor.slug].family_of(offer)
        family = next((f for f in candidates if f.slug == slug), None)
        if family is None:
            logger.warning("%s: nobody can tell whose %s it offers", node.name, resource_name)
        else:
            yield resource_name, family


def _pool(cluster: Cluster, family: Family, resource_name: str) -> Pool:
    pool, _ = Pool.objects.get_or_create(
        cluster=cluster, family=family, resource_name=resource_name
    )
    return pool


def _counts(node: Found, resource_name: str) -> tuple[int, int]:
    # Extended resources are whole numbers; allocatable counts the healthy ones only.
    return _count(node.capacity, resource_name), _count(node.allocatable, resource_name)


def _count(amounts: Mapping[str, str], resource_name: str) -> int:
    text = str(amounts.get(resource_name, 0))
    return int(text) if text.isdigit() else 0
