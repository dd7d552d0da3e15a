"""What a vendor tells us: whose devices a node offers, and what its pods need.

Resource names come from the catalogue and are read from the nodes; a vendor only
settles what the name leaves open.  The base is a vendor without any habit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class NodeOffer:
    """One resource name on one node: the families known by it, and how many devices there are."""

    resource_name: str
    labels: Mapping[str, str]
    families: tuple[str, ...]
    count: int | None = None


@dataclass(frozen=True, kw_only=True)
class Health:
    """How the vendor's exporter tells that a device works: metric names and the good value."""

    metrics: tuple[str, ...]
    good_value: float

    def is_good(self, value: float) -> bool:
        """Say whether a reading means a working device; vendors point opposite ways."""
        return value == self.good_value


@dataclass(frozen=True, kw_only=True)
class Load:
    """How the vendor's exporter tells how much a device does, and below what it does nothing."""

    metrics: tuple[str, ...]
    idle_below: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """How the vendor's exporter is known on a cluster: its pods' label, and where they print."""

    selector: str
    port: int


class Vendor:
    """One chip vendor's habits."""

    slug: ClassVar[str] = ""
    health: ClassVar[Health | None] = None
    load: ClassVar[Load | None] = None
    exporters: ClassVar[tuple[Exporter, ...]] = ()
    toleration_keys: ClassVar[tuple[str, ...]] = ()

    def family_of(self, offer: NodeOffer) -> str | None:
        """Say which family a node's devices are, or None where that cannot be told."""
        return offer.families[0] if len(offer.families) == 1 else None

    def node_selector(self, *, family: str, resource_name: str) -> dict[str, str]:
        """Return the labels that keep a pod on nodes of this family."""
        return {}
