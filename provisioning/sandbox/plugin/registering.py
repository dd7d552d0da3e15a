"""Register with the kubelet, and again each time it starts anew.

A kubelet that starts removes every socket of its plugin folder; the missing socket is
how a plugin learns that it has to come back.
"""

import logging
import threading
from pathlib import Path

import grpc

from provisioning.sandbox.plugin import messages
from provisioning.sandbox.plugin.inventory import Inventory
from provisioning.sandbox.plugin.serving import PluginServer, options

logger = logging.getLogger(__name__)

KUBELET_SOCKET = "kubelet.sock"
CHECK_SECONDS = 1.0
REGISTER_TIMEOUT_SECONDS = 5.0


def socket_name(resource: str) -> str:
    """The file name of a resource's socket."""
    return f"npu-farm-{resource.replace('/', '-')}.sock"


def register(kubelet_socket: Path, *, endpoint: str, resource: str) -> None:
    """Tell a kubelet where a resource is served."""
    request = messages.message(
        "RegisterRequest",
        version=messages.VERSION,
        endpoint=endpoint,
        resource_name=resource,
        options=options(),
    )
    with grpc.insecure_channel(f"unix://{kubelet_socket}") as channel:
        call = channel.unary_unary(
            f"/{messages.PACKAGE}.Registration/Register",
            request_serializer=messages.encode,
            response_deserializer=messages.decoder("Empty"),
        )
        call(request, timeout=REGISTER_TIMEOUT_SECONDS)


def keep_registered(inventory: Inventory, *, folder: Path, stop: threading.Event) -> None:
    """Serve and stay registered until told to stop."""
    while not stop.is_set():
        server = PluginServer(inventory, folder / socket_name(inventory.product.resource))
        server.start()
        try:
            _register_patiently(server, inventory.product.resource, stop)
            _stay(server, stop)
        finally:
            server.stop()


def _register_patiently(server: PluginServer, resource: str, stop: threading.Event) -> None:
    kubelet = server.socket.with_name(KUBELET_SOCKET)
    while not stop.is_set() and server.socket.exists():
        try:
            register(kubelet, endpoint=server.socket.name, resource=resource)
        except grpc.RpcError as error:
            logger.warning("the kubelet does not answer yet: %s", error)
            stop.wait(CHECK_SECONDS)
        else:
            logger.info("registered %s", resource)
            return


def _stay(server: PluginServer, stop: threading.Event) -> None:
    while not stop.is_set() and server.socket.exists():
        stop.wait(CHECK_SECONDS)
