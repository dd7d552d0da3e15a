"""What a simulated device shows now: work, warmth and power, from its holder and its health."""

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from provisioning.sandbox.farm import Product
from provisioning.sandbox.kubelets.devices import NodeDevices

_IDLE_WATTS, _BUSY_WATTS = 34.0, 150.0
_IDLE_CELSIUS, _BUSY_CELSIUS, _ILL_CELSIUS = 36.0, 71.0, 97.0
_MEMORY_BYTES = 48 * 1024**3
# A busy device wanders between these shares of its peak, each in its own time.
_MIDDLE, _SWING, _SECONDS = 0.75, 0.15, 40.0


@dataclass(frozen=True)
class Reading:
    """One device at one moment."""

    product: Product
    index: int
    device_id: str
    is_healthy: bool
    # Pod uid and container; empty while nobody holds the device.
    holder: tuple[str, str]
    busy: float

    @property
    def card(self) -> int:
        """Which card of the node it sits on."""
        return self.index // self.product.units_per_card

    @property
    def watts(self) -> float:
        """What it draws."""
        return _IDLE_WATTS + (_BUSY_WATTS - _IDLE_WATTS) * self.busy

    @property
    def celsius(self) -> float:
        """How warm it is."""
        if not self.is_healthy:
            return _ILL_CELSIUS
        return _IDLE_CELSIUS + (_BUSY_CELSIUS - _IDLE_CELSIUS) * self.busy

    @property
    def memory_used(self) -> int:
        """Bytes in use."""
        return int(_MEMORY_BYTES * self.busy * 0.8)

    @property
    def memory_total(self) -> int:
        """Bytes there are."""
        return _MEMORY_BYTES


def readings(devices: NodeDevices, *, exporter: str, at: datetime) -> Iterator[Reading]:
    """The devices of a node that an exporter tells of."""
    for pool in devices.pools.values():
        for index, (device_id, product) in enumerate(pool.products.items()):
            if product.exporter == exporter:
                is_healthy = device_id not in pool.unhealthy
                holder = pool.held.get(device_id, ("", ""))
                busy = _busy(device_id, at) if holder[0] and is_healthy else 0.0
                yield Reading(product, index, device_id, is_healthy, holder, busy)


def _busy(device_id: str, at: datetime) -> float:
    phase = zlib.crc32(device_id.encode()) % 628 / 100
    return _MIDDLE + _SWING * math.sin(at.timestamp() / _SECONDS + phase)
