"""Read the devices a cluster's drivers publish: resource slices in, devices per node out.

Pure.  A driver writes a pool of devices in as many slices as it needs; only the newest
generation counts, and only when all its slices are there.  Devices that share counters
with others are ways to cut one card and not cards, so they are left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from provisioning.models import AllocationMode, Family
from provisioning.offering import Offer

# The one keeps new pods away; the other is said of what not even its holder should use.
_CLOSED: Final = frozenset({"NoSchedule", "NoExecute"})
_ILL: Final = "NoExecute"

Raw = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SlicedDevice:
    """One device as its driver publishes it.

    A closed one is not handed out any more, and its holder keeps it; an ill one is of no use.
    """

    driver: str
    pool: str
    name: str
    node_name: str
    attributes: Mapping[str, Any]
    is_closed: bool = False
    is_ill: bool = False

    @property
    def id(self) -> str:
        """Return what tells it from the other devices of its node."""
        return self.name if self.pool == self.node_name else f"{self.pool}/{self.name}"


@dataclass(frozen=True)
class Published:
    """What a cluster offers through dynamic resource allocation."""

    classes: frozenset[str] = frozenset()
    devices: tuple[SlicedDevice, ...] = ()

    def on(self, node_name: str) -> list[SlicedDevice]:
        """Return the devices of one node."""
        return [device for device in self.devices if device.node_name == node_name]


def read_published(classes: Iterable[Raw], slices: Iterable[Raw]) -> Published:
    """Read raw device classes and slices."""
    names = frozenset(str(one["metadata"]["name"]) for one in classes)
    return Published(classes=names, devices=tuple(_devices(slices)))


def belongs(device: SlicedDevice, family: Family) -> bool:
    """Say whether a device is of a family: by its driver and, where several share one, by name."""
    dra = family.dra
    if device.driver != dra.get("driver"):
        return False
    prefix = dra.get("attribute_prefix")
    return not prefix or str(device.attributes.get(dra["attribute"], "")).startswith(prefix)


def offers_of(
    *, devices: Iterable[SlicedDevice], classes: frozenset[str], families: Iterable[Family]
) -> list[Offer]:
    """Return what one node's devices amount to, family by family."""
    mine = list(devices)
    offers = []
    for family in families:
        of_it = [device for device in mine if belongs(device, family)]
        if of_it and family.dra.get("device_class") in classes and _is_sold(family):
            offers.append(
                Offer(
                    family=family,
                    resource_name=family.dra["device_class"],
                    capacity=len(of_it),
                    allocatable=sum(1 for device in of_it if not device.is_closed),
                    allocation=AllocationMode.DRA,
                )
            )
    return offers


def _is_sold(family: Family) -> bool:
    return bool(family.resource_names) and family.dra.get("confidence") == "confirmed"


def _devices(slices: Iterable[Raw]) -> Iterable[SlicedDevice]:
    pools: defaultdict[tuple[str, str], list[Raw]] = defaultdict(list)
    for one in slices:
        spec = one.get("spec") or {}
        pools[str(spec.get("driver")), str((spec.get("pool") or {}).get("name"))].append(spec)
    for specs in pools.values():
        for spec in _newest_complete(specs):
            for device in spec.get("devices") or ():
                yield from _device(spec, device)


def _newest_complete(specs: list[Raw]) -> list[Raw]:
    newest = max(int(spec["pool"].get("generation") or 0) for spec in specs)
    current = [spec for spec in specs if int(spec["pool"].get("generation") or 0) == newest]
    awaited = max(int(spec["pool"].get("resourceSliceCount") or 1) for spec in current)
    # A driver in the middle of a change: what it had is no longer true, the rest not yet.
    return current if len(current) >= awaited else []


def _device(spec: Raw, device: Raw) -> Iterable[SlicedDevice]:
    node_name = spec.get("nodeName") or device.get("nodeName")
    if not node_name or device.get("consumesCounters"):
        return
    effects = {taint.get("effect") for taint in device.get("taints") or ()}
    yield SlicedDevice(
        driver=str(spec["driver"]),
        pool=str(spec["pool"]["name"]),
        name=str(device["name"]),
        node_name=str(node_name),
        attributes={key: _value(value) for key, value in (device.get("attributes") or {}).items()},
        is_closed=not _CLOSED.isdisjoint(effects),
        is_ill=_ILL in effects,
    )


def _value(attribute: Raw) -> Any:
    return next(iter(attribute.values()), None)
