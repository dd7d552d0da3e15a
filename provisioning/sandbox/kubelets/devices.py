"""The accelerators of one node: which there are, which are well, which pod holds which.

Ids follow the vendor's plugin and repeat on every node, as the real plugins repeat
theirs; they are the same after every restart.
"""

import contextlib
import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from provisioning.sandbox.farm import Farm, NodeSpec, Product
from provisioning.sandbox.objects import Json, spec, status, uid_of

Holder = tuple[str, str]


class TooFewDevices(Exception):
    """The node has not enough healthy free devices, whatever the scheduler thought."""


@dataclass
class Pool:
    """The devices of one resource on one node."""

    resource: str
    products: dict[str, Product] = field(default_factory=dict)
    unhealthy: set[str] = field(default_factory=set)
    held: dict[str, Holder] = field(default_factory=dict)
    # What init containers use of what their pod holds; the others take it over after them.
    lent: dict[Holder, list[str]] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """All ids, in the order of the slots."""
        return list(self.products)

    def free(self) -> list[str]:
        """The ids that can be handed out."""
        return [one for one in self.products if one not in self.held and one not in self.unhealthy]


class NodeDevices:
    """The device plugins of one node, seen from the kubelet."""

    def __init__(self, *, farm: Farm, node: NodeSpec) -> None:
        self.pools: dict[str, Pool] = {}
        # How many more pods an operator wants refused at admission.
        self.refusals = 0
        # What a driver publishes, no plugin counts.
        for devices in (one for one in node.devices if one.allocation != "dra"):
            product = farm.product(devices.product)
            pool = self.pools.setdefault(product.resource, Pool(product.resource))
            for _ in range(devices.cards * product.units_per_card):
                pool.products[device_id(product, len(pool.products))] = product

    def capacity(self) -> dict[str, str]:
        """How many devices there are."""
        return {name: str(len(pool.products)) for name, pool in self.pools.items()}

    def allocatable(self) -> dict[str, str]:
        """How many devices are well."""
        return {
            name: str(len(pool.products) - len(pool.unhealthy)) for name, pool in self.pools.items()
        }

    def allocate(self, pod: Json) -> None:
        """Give every container of a pod its devices, or none of them any."""
        uid = uid_of(pod)
        if self.refusals:
            self.refusals -= 1
            raise TooFewDevices("no device of the plugin answers")
        try:
            for container in spec(pod).get("initContainers") or []:
                for resource, count in _wanted(container):
                    self._lend(resource, count, (uid, container["name"]))
            for container in spec(pod).get("containers") or []:
                for resource, count in _wanted(container):
                    self._take(resource, count, (uid, container["name"]))
        except TooFewDevices:
            self.release(uid)
            raise

    def _take(self, resource: str, count: int, holder: Holder) -> None:
        """Give devices to a container; those that init containers of its pod had come first."""
        pool = self.pools.get(resource, Pool(resource))
        left = [one for one, who in pool.held.items() if who[0] == holder[0] and who in pool.lent]
        for one in _first([*left, *pool.free()], count, resource):
            pool.held[one] = holder

    def _lend(self, resource: str, count: int, holder: Holder) -> None:
        """Let an init container use devices that its pod holds, and others where those are few."""
        pool = self.pools.get(resource, Pool(resource))
        own = [one for one, who in pool.held.items() if who[0] == holder[0]]
        pool.lent[holder] = _first([*own, *pool.free()], count, resource)
        for one in pool.lent[holder]:
            pool.held.setdefault(one, holder)

    def release(self, uid: str) -> None:
        """Take a pod's devices back."""
        for pool in self.pools.values():
            pool.held = {one: holder for one, holder in pool.held.items() if holder[0] != uid}
            pool.lent = {holder: ids for holder, ids in pool.lent.items() if holder[0] != uid}

    def held_by(self, uid: str, container: str) -> dict[str, list[str]]:
        """The ids a container holds, by resource."""
        who = (uid, container)
        held = {
            name: pool.lent.get(who) or [one for one, by in pool.held.items() if by == who]
            for name, pool in self.pools.items()
        }
        return {name: ids for name, ids in held.items() if ids}

    def resource_status(self, uid: str, container: str) -> list[Json]:
        """`allocatedResourcesStatus` as the kubelet writes it from 1.36 on."""
        return [
            {
                "name": name,
                "resources": [
                    {"resourceID": one, "health": self._health(name, one)} for one in sorted(ids)
                ],
            }
            for name, ids in self.held_by(uid, container).items()
        ]

    def _health(self, resource: str, one: str) -> str:
        return "Unhealthy" if one in self.pools[resource].unhealthy else "Healthy"

    def environment(self, uid: str, container: str) -> Mapping[str, str]:
        """What the plugins put into the container beside the devices."""
        found: dict[str, str] = {}
        for resource, ids in self.held_by(uid, container).items():
            for name, value in self.pools[resource].products[ids[0]].environment.items():
                found[name] = value.format(ids=",".join(ids), count=len(ids))
        return found

    def restore(self, pods: Iterable[Json]) -> None:
        """Take over the allocations that running pods' statuses tell of."""
        there = [pod for pod in pods if status(pod).get("phase") not in ("Succeeded", "Failed")]
        for pod in there:
            for container in status(pod).get("containerStatuses") or []:
                self._restore_container(uid_of(pod), container)
        for pod in there:
            if status(pod).get("startTime"):
                self._lend_again(pod)

    def _lend_again(self, pod: Json) -> None:
        # No status tells what an init container was lent: its pod's devices, or any that are free.
        for container in spec(pod).get("initContainers") or []:
            for resource, count in _wanted(container):
                with contextlib.suppress(TooFewDevices):
                    self._lend(resource, count, (uid_of(pod), container["name"]))

    def _restore_container(self, uid: str, told: Json) -> None:
        for allocated in told.get("allocatedResourcesStatus") or []:
            pool = self.pools.get(allocated["name"])
            if pool is not None:
                for one in allocated["resources"]:
                    pool.held[one["resourceID"]] = (uid, told["name"])


def device_id(product: Product, index: int) -> str:
    """The id of the device in a slot: the same on every node and after every start."""
    digest = hashlib.sha256(f"{product.name}/{index}".encode()).digest()
    return product.id_pattern.format(index=index, uuid=str(uuid.UUID(bytes=digest[:16])).upper())


def _first(ids: list[str], count: int, resource: str) -> list[str]:
    if len(ids) < count:
        raise TooFewDevices(
            f"requested number of devices unavailable for {resource}."
            f" Requested: {count}, Available: {len(ids)}"
        )
    return ids[:count]


def _wanted(container: Json) -> list[tuple[str, int]]:
    limits = (container.get("resources") or {}).get("limits") or {}
    return [(name, int(value)) for name, value in limits.items() if "/" in name]
