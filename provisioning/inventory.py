"""What the clusters have, as operators and tenants look at it: nodes, devices, who holds what.

Nothing here writes, and nothing here asks a cluster.  Devices nobody ever held are known
by number only where their plugin does not name them.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Q, QuerySet

from provisioning import idling, maintaining, selling, stock
from provisioning.models import (
    Allocation,
    Device,
    Health,
    Instance,
    MaintenanceWindow,
    Node,
    NodeCapacity,
    ObservedPod,
    Outage,
    Pool,
)
from provisioning.states import Settlement


@dataclass(frozen=True, kw_only=True)
class HeldDevice:
    """One device with its holder, as far as there is one."""

    device: Device
    holder: Instance | None
    since: datetime | None

    @property
    def is_ill(self) -> bool:
        """Whether anybody calls it unhealthy."""
        return Health.UNHEALTHY in (self.device.health, self.device.metric_health)


@dataclass(frozen=True, kw_only=True)
class PoolOnNode:
    """One pool's devices on one node: all, well, held, free, and those not known by name."""

    pool: Pool
    total: int
    healthy: int
    held: int
    free: int
    unnamed: int


@dataclass(frozen=True, kw_only=True)
class NodeView:
    """One node with everything on it."""

    node: Node
    pools: list[PoolOnNode]
    devices: list[HeldDevice]
    outage: Outage | None
    windows: list[MaintenanceWindow]

    @property
    def is_for_sale(self) -> bool:
        """Whether new pods may go there now."""
        node = self.node
        return node.is_ready and node.is_schedulable and node.stopped_at is None


@dataclass(frozen=True, kw_only=True)
class Warned:
    """One thing a tenant should know of an instance that runs: what, since or from when."""

    code: str
    at: datetime
    until: datetime | None
    node_name: str
    device_id: str
    reason: str


def present_nodes() -> QuerySet[Node]:
    """Return the nodes that are there."""
    rows = Node.objects.filter(gone_at__isnull=True).select_related("cluster")
    return rows.order_by("cluster__name", "name")


def troubled_nodes() -> QuerySet[Node]:
    """Return the nodes of which something is out of sale or cannot be used."""
    ill = Outage.objects.filter(ended_at__isnull=True).values("node")
    stopped = Device.objects.filter(stopped_at__isnull=False).values("node")
    closed = Q(is_ready=False) | Q(is_schedulable=False) | Q(stopped_at__isnull=False)
    return present_nodes().filter(closed | Q(pk__in=ill) | Q(pk__in=stopped))


def looked_at(nodes: Iterable[Node], *, at: datetime) -> list[NodeView]:
    """Return the nodes with everything on them."""
    wanted = list(nodes)
    pools = _pools_on(wanted)
    devices = _devices_on(wanted)
    silent = {
        outage.node_id: outage
        for outage in Outage.objects.filter(node__in=wanted, device=None, ended_at__isnull=True)
    }
    windows = _windows(wanted, at)
    return [
        NodeView(
            node=node,
            pools=[_with_unnamed(one, devices[node.pk]) for one in pools[node.pk]],
            devices=devices[node.pk],
            outage=silent.get(node.pk),
            windows=windows[node.pk],
        )
        for node in wanted
    ]


def guests_of(node: Node) -> list[tuple[Instance, datetime | None]]:
    """Return who runs on a node, and until when: what is left before it is empty."""
    found = maintaining.affected_by(cluster=node.cluster, nodes=[node])
    return [(one.instance, one.instance.ends_at) for one in found]


def warnings_of(instance: Instance, *, at: datetime) -> list[Warned]:
    """Return what a tenant should know of the instance now."""
    found = [
        Warned(
            code="device_unhealthy" if outage.device else outage.cause,
            at=outage.started_at,
            until=None,
            node_name=outage.node.name,
            device_id=outage.device.device_id if outage.device else "",
            reason=str(outage.evidence.get("told by", "")),
        )
        for outage in _outages_of(instance)
    ]
    found += [
        Warned(
            code="maintenance",
            at=window.starts_at,
            until=window.ends_at,
            node_name="",
            device_id="",
            reason=window.reason,
        )
        for window in maintaining.windows_touching(instance, at=at)
    ]
    if since := idling.idle_since(instance, at=at):
        found.append(
            Warned(code="idle", at=since, until=None, node_name="", device_id="", reason="")
        )
    return found


def _outages_of(instance: Instance) -> list[Outage]:
    held = {
        (one.node_uid, one.resource_name, one.device_id)
        for one in instance.allocations.filter(ended_at__isnull=True)
    }
    pods = ObservedPod.objects.filter(instance_id=instance.pk, settlement=Settlement.OPEN)
    places = set(pods.exclude(node_name="").values_list("cluster", "node_name"))
    is_open = Outage.objects.filter(ended_at__isnull=True).select_related("node", "device__pool")
    found = []
    for outage in is_open.filter(node__name__in=[name for _, name in places]):
        if outage.device is None:
            concerns = (outage.node.cluster_id, outage.node.name) in places
        else:
            pool = outage.device.pool
            concerns = (outage.node.uid, pool.resource_name, outage.device.device_id) in held
        if concerns:
            found.append(outage)
    return found


def _pools_on(nodes: list[Node]) -> defaultdict[int, list[PoolOnNode]]:
    found: defaultdict[int, list[PoolOnNode]] = defaultdict(list)
    rows = list(NodeCapacity.objects.filter(node__in=nodes).select_related("pool__family", "node"))
    shelves, _ = stock.shelves_of({row.pool for row in rows})
    for row in sorted(rows, key=lambda one: one.pool.resource_name):
        shelf = shelves.get((row.pool_id, row.node.name))
        found[row.node_id].append(
            PoolOnNode(
                pool=row.pool,
                total=row.capacity,
                healthy=row.allocatable,
                held=shelf.held if shelf else 0,
                free=shelf.free if shelf else 0,
                unnamed=row.capacity,
            )
        )
    return found


def _with_unnamed(one: PoolOnNode, devices: list[HeldDevice]) -> PoolOnNode:
    named = sum(held.device.pool_id == one.pool.pk for held in devices)
    return replace(one, unnamed=max(0, one.total - named))


def _devices_on(nodes: list[Node]) -> defaultdict[int, list[HeldDevice]]:
    held = {
        (one.cluster_id, one.node_uid, one.resource_name, one.device_id): one
        for one in Allocation.objects.filter(
            node_uid__in=[node.uid for node in nodes], ended_at__isnull=True
        ).select_related("instance")
    }
    found: defaultdict[int, list[HeldDevice]] = defaultdict(list)
    for device in Device.objects.filter(node__in=nodes).select_related("pool__family", "node"):
        node, name = device.node, device.pool.resource_name
        allocation = held.get((node.cluster_id, node.uid, name, device.device_id))
        found[device.node_id].append(
            HeldDevice(
                device=device,
                holder=allocation.instance if allocation else None,
                since=allocation.started_at if allocation else None,
            )
        )
    return found


def _windows(nodes: list[Node], at: datetime) -> defaultdict[int, list[MaintenanceWindow]]:
    found: defaultdict[int, list[MaintenanceWindow]] = defaultdict(list)
    clusters = {node.cluster_id for node in nodes}
    rows = selling.coming_windows(at=at).filter(cluster__in=clusters).prefetch_related("nodes")
    for window in rows:
        named = {node.pk for node in window.nodes.all()}
        for node in nodes:
            if node.pk in named or (not named and node.cluster_id == window.cluster_id):
                found[node.pk].append(window)
    return found
