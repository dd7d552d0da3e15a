"""The plugin's side of the contract: five calls a kubelet makes over a unix socket."""

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

from provisioning.sandbox.plugin import messages
from provisioning.sandbox.plugin.inventory import Inventory, OfferedDevice

HEALTH_CHECK_SECONDS = 1.0
_WORKERS = 8


class PluginServer:
    """Serves one inventory on one socket, until stopped."""

    def __init__(self, inventory: Inventory, socket: Path) -> None:
        self.socket = socket
        self._inventory = inventory
        self._stopped = threading.Event()
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=_WORKERS))
        self._server.add_generic_rpc_handlers((self._handlers(),))

    def start(self) -> None:
        """Listen; the kubelet calls back the moment it is told of us."""
        self.socket.unlink(missing_ok=True)
        self._server.add_insecure_port(f"unix://{self.socket}")
        self._server.start()

    def stop(self) -> None:
        """End every stream, so the kubelet knows the devices have nobody behind them."""
        self._stopped.set()
        self._server.stop(grace=0.5).wait()
        self.socket.unlink(missing_ok=True)

    def _handlers(self) -> grpc.GenericRpcHandler:
        calls: dict[str, tuple[Callable[..., Any], str]] = {
            "GetDevicePluginOptions": (self._options, "Empty"),
            "GetPreferredAllocation": (self._preferred, "PreferredAllocationRequest"),
            "Allocate": (self._allocate, "AllocateRequest"),
            "PreStartContainer": (self._pre_start, "PreStartContainerRequest"),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                call, messages.decoder(asked), messages.encode
            )
            for name, (call, asked) in calls.items()
        }
        handlers["ListAndWatch"] = grpc.unary_stream_rpc_method_handler(
            self._list_and_watch, messages.decoder("Empty"), messages.encode
        )
        service = f"{messages.PACKAGE}.DevicePlugin"
        return grpc.method_handlers_generic_handler(service, handlers)

    def _options(self, asked: Any, context: grpc.ServicerContext) -> Any:
        return options()

    def _list_and_watch(self, asked: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """The full list at once and after each change, for as long as the kubelet listens."""
        told: list[OfferedDevice] | None = None
        while not self._stopped.is_set() and context.is_active():
            devices = self._inventory.devices()
            if devices != told:
                told = devices
                yield messages.message("ListAndWatchResponse", devices=[_told(one) for one in told])
            self._stopped.wait(HEALTH_CHECK_SECONDS)

    def _preferred(self, asked: Any, context: grpc.ServicerContext) -> Any:
        answers = []
        for one in asked.container_requests:
            chosen = self._inventory.prefer(
                list(one.available_deviceIDs),
                must_include=list(one.must_include_deviceIDs),
                size=one.allocation_size,
            )
            answer = messages.message("ContainerPreferredAllocationResponse", deviceIDs=chosen)
            answers.append(answer)
        return messages.message("PreferredAllocationResponse", container_responses=answers)

    def _allocate(self, asked: Any, context: grpc.ServicerContext) -> Any:
        healthy = self._inventory.healthy()
        answers = []
        for one in asked.container_requests:
            ill = sorted(set(one.devices_ids) - healthy)
            if ill:
                # The text reaches the pod's event.
                context.abort(
                    grpc.StatusCode.FAILED_PRECONDITION, f"unhealthy or unknown device: {ill[0]}"
                )
            answers.append(self._answer(list(one.devices_ids)))
        return messages.message("AllocateResponse", container_responses=answers)

    def _answer(self, ids: list[str]) -> Any:
        product = self._inventory.product
        environment = {
            name: value.format(ids=",".join(sorted(ids)), count=len(ids))
            for name, value in product.environment.items()
        }
        # No device nodes: there is no hardware, and a path that is missing fails the container.
        return messages.message(
            "ContainerAllocateResponse",
            envs=messages.entries(environment),
            annotations=messages.entries(dict(product.annotations)),
        )

    def _pre_start(self, asked: Any, context: grpc.ServicerContext) -> Any:
        return messages.message("PreStartContainerResponse")


def options() -> Any:
    """What the plugin can do beyond the two calls every plugin has."""
    return messages.message(
        "DevicePluginOptions", pre_start_required=False, get_preferred_allocation_available=True
    )


def _told(device: OfferedDevice) -> Any:
    health = messages.HEALTHY if device.is_healthy else messages.UNHEALTHY
    told = messages.message("Device", ID=device.id, health=health)
    if device.numa_node is not None:
        told.topology.nodes.add(ID=device.numa_node)
    return told
