"""The devices a simulated plugin offers, their health, and which to prefer together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioning.sandbox.farm import Product
from provisioning.sandbox.kubelets.devices import device_id


@dataclass(frozen=True)
class OfferedDevice:
    """One device as the kubelet hears of it."""

    id: str
    is_healthy: bool
    numa_node: int | None


class Inventory:
    """The devices of one resource, and the file that says which are ill.

    The file holds one device id (or index) a line; it may come and go.
    """

    def __init__(
        self, product: Product, *, count: int, numa_nodes: int = 0, health_file: Path | None = None
    ) -> None:
        self.product = product
        self._ids = [device_id(product, index) for index in range(count)]
        self._numa_nodes = numa_nodes
        self._health_file = health_file

    def devices(self) -> list[OfferedDevice]:
        """All devices as they are now."""
        ill = self._ill()
        return [
            OfferedDevice(one, one not in ill and str(index) not in ill, self._numa_of(index))
            for index, one in enumerate(self._ids)
        ]

    def _numa_of(self, index: int) -> int | None:
        # The first half of the slots hangs on the first socket, as servers are wired.
        return index * self._numa_nodes // len(self._ids) if self._numa_nodes else None

    def _ill(self) -> set[str]:
        try:
            text = self._health_file.read_text(encoding="utf-8") if self._health_file else ""
        except FileNotFoundError:
            return set()
        return {line.strip() for line in text.splitlines() if line.strip()}

    def prefer(
        self, available: Sequence[str], *, must_include: Sequence[str], size: int
    ) -> list[str]:
        """A set of the wanted size, from one NUMA node when one node can give it."""
        chosen = [one for one in must_include if one in available]
        rest = [one for one in available if one not in chosen]
        rest.sort(key=lambda one: (-self._company(one, available), self._ids.index(one)))
        if chosen:
            home = self._node(chosen[0])
            rest.sort(key=lambda one: self._node(one) != home)
        return (chosen + rest)[:size]

    def _company(self, one: str, available: Iterable[str]) -> int:
        return sum(1 for other in available if self._node(other) == self._node(one))

    def _node(self, one: str) -> int | None:
        return self._numa_of(self._ids.index(one))

    def healthy(self) -> set[str]:
        """The ids that may be handed out now."""
        return {device.id for device in self.devices() if device.is_healthy}
