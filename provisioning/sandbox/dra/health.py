"""Tell the kubelet which devices are well, for as long as it listens.

The kubelet asks for it from 1.34 on, and writes the answer into the pods' statuses.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from provisioning.sandbox.dra.messages import HEALTH, HEALTHY, UNHEALTHY, encode

CHECK_SECONDS = 1.0
# The kubelet takes a device for unknown when it has heard nothing of it for so long.
REPEAT_SECONDS = 10.0

Health = Callable[[], dict[str, bool]]


class HealthTeller:
    """The health of one pool's devices, by name."""

    def __init__(self, *, pool: str, health: Health) -> None:
        self._pool, self._health = pool, health
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End every stream."""
        self._stopped.set()

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server needs to answer."""
        method = grpc.unary_stream_rpc_method_handler(
            self._tell, HEALTH.decoder("NodeWatchResourcesRequest"), encode
        )
        service = f"{HEALTH.package}.DRAResourceHealth"
        return grpc.method_handlers_generic_handler(service, {"NodeWatchResources": method})

    def _tell(self, asked: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        told: dict[str, bool] | None = None
        told_at = 0.0
        while not self._stopped.is_set() and context.is_active():
            now = self._health()
            if now != told or time.monotonic() - told_at > REPEAT_SECONDS:
                told, told_at = now, time.monotonic()
                yield HEALTH.message(
                    "NodeWatchResourcesResponse",
                    devices=[self._device(name, well) for name, well in told.items()],
                )
            self._stopped.wait(CHECK_SECONDS)

    def _device(self, name: str, well: bool) -> Any:
        return HEALTH.message(
            "DeviceHealth",
            device=HEALTH.message("DeviceIdentifier", pool_name=self._pool, device_name=name),
            health=HEALTHY if well else UNHEALTHY,
            last_updated_time=int(time.time()),
        )
