"""The simulated device plugin before a stand-in for the kubelet: the contract, call by call."""

import queue
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from provisioning.sandbox import device_plugin
from provisioning.sandbox.plugin import messages, registering
from provisioning.sandbox.plugin.inventory import Inventory

RESOURCE = "furiosa.ai/rngd"
MANIFEST = Path(__file__).parents[2] / "deploy" / "device-plugin.yaml"
PATIENCE = 10


class Kubelet:
    """Takes registrations on its socket, as a kubelet does, and calls plugins back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registered: queue.Queue[Any] = queue.Queue()
        self._server: grpc.Server | None = None

    def start(self) -> None:
        """A kubelet that starts removes what sockets it finds."""
        for socket in self.folder.glob("*.sock"):
            socket.unlink()
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
        handler = grpc.unary_unary_rpc_method_handler(
            self._register, messages.decoder("RegisterRequest"), messages.encode
        )
        service = f"{messages.PACKAGE}.Registration"
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"Register": handler}),)
        )
        self._server.add_insecure_port(f"unix://{self.folder / registering.KUBELET_SOCKET}")
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(grace=None).wait()

    def _register(self, request: Any, context: grpc.ServicerContext) -> Any:
        # The plugin has to serve by now: the kubelet calls back at once.
        self.registered.put((request, (self.folder / request.endpoint).is_socket()))
        return messages.message("Empty")

    def await_plugin(self) -> "Plugin":
        request, is_serving = self.registered.get(timeout=PATIENCE)
        assert is_serving
        return Plugin(self.folder / request.endpoint, request)


class Plugin:
    """The plugin as the kubelet calls it."""

    def __init__(self, socket: Path, request: Any) -> None:
        self.request = request
        self._channel = grpc.insecure_channel(f"unix://{socket}")

    def _path(self, call: str) -> str:
        return f"/{messages.PACKAGE}.DevicePlugin/{call}"

    def call(self, call: str, sent: Any, answer: str) -> Any:
        stub = self._channel.unary_unary(
            self._path(call),
            request_serializer=messages.encode,
            response_deserializer=messages.decoder(answer),
        )
        return stub(sent, timeout=PATIENCE)

    def watch(self) -> Any:
        stub = self._channel.unary_stream(
            self._path("ListAndWatch"),
            request_serializer=messages.encode,
            response_deserializer=messages.decoder("ListAndWatchResponse"),
        )
        return stub(messages.message("Empty"))

    def allocate(self, *ids: str) -> Any:
        wish = messages.message("ContainerAllocateRequest", devices_ids=ids)
        sent = messages.message("AllocateRequest", container_requests=[wish])
        return self.call("Allocate", sent, "AllocateResponse").container_responses[0]


class Offering:
    """A running plugin, and the file that makes its devices ill."""

    def __init__(self, folder: Path, ill: Path) -> None:
        self.ill = ill
        self._stop = threading.Event()
        product = device_plugin.product_of(RESOURCE)
        inventory = Inventory(product, count=8, numa_nodes=2, health_file=ill)
        self._thread = threading.Thread(
            target=registering.keep_registered,
            args=(inventory,),
            kwargs={"folder": folder, "stop": self._stop},
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path: a socket's may not be longer than 107 bytes."""
    return tmp_path_factory.mktemp("k")


@pytest.fixture
def kubelet(folder: Path) -> Iterator[Kubelet]:
    """A kubelet that is up."""
    found = Kubelet(folder)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def offering(folder: Path) -> Iterator[Offering]:
    """A plugin that runs."""
    found = Offering(folder, folder / "ill")
    found.start()
    yield found
    found.stop()


@pytest.fixture
def plugin(kubelet: Kubelet, offering: Offering) -> Plugin:
    """The plugin once it has registered."""
    return kubelet.await_plugin()


def _health(update: Any) -> dict[str, str]:
    return {device.ID: device.health for device in update.devices}


def test_plugin_serves_before_it_registers(plugin: Plugin) -> None:
    request = plugin.request
    assert (request.version, request.resource_name) == ("v1beta1", RESOURCE)
    assert request.options.get_preferred_allocation_available
    assert not request.options.pre_start_required
    assert "/" not in request.endpoint


def test_all_devices_are_listed_at_once(plugin: Plugin) -> None:
    health = _health(next(plugin.watch()))
    assert len(health) == 8
    assert set(health.values()) == {"Healthy"}
    assert all(len(one) <= 63 for one in health)


def test_ids_are_the_same_after_every_start(folder: Path) -> None:
    product = device_plugin.product_of(RESOURCE)
    first, second = (Inventory(product, count=4).devices() for _ in range(2))
    assert first == second
    assert len({device.id for device in first}) == 4


def test_change_of_health_is_told_and_told_back(plugin: Plugin, offering: Offering) -> None:
    stream = plugin.watch()
    ids = list(_health(next(stream)))
    offering.ill.write_text(f"{ids[2]}\n7\n")
    ill = _health(next(stream))
    assert [one for one, health in ill.items() if health == "Unhealthy"] == [ids[2], ids[7]]
    offering.ill.unlink()
    assert set(_health(next(stream)).values()) == {"Healthy"}
    stream.cancel()


def test_allocation_gives_the_vendors_variables_and_no_device_nodes(plugin: Plugin) -> None:
    ids = list(_health(next(plugin.watch())))[:2]
    answer = plugin.allocate(*ids)
    assert {entry.key: entry.value for entry in answer.envs} == {
        "NPU_DEVICES": ",".join(sorted(ids))
    }
    assert not answer.devices
    assert not answer.mounts


def test_rebellions_containers_are_annotated_as_their_plugin_does() -> None:
    product = device_plugin.product_of("rebellions.ai/npu")
    assert dict(product.annotations) == {"rebellions.ai/npu": "runtime"}


def test_ill_device_is_not_handed_out(plugin: Plugin, offering: Offering) -> None:
    ids = list(_health(next(plugin.watch())))
    offering.ill.write_text(ids[0])
    with pytest.raises(grpc.RpcError) as refused:
        plugin.allocate(ids[0])
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION  # type: ignore[attr-defined]
    assert ids[0] in refused.value.details()  # type: ignore[attr-defined]


def test_preference_stays_on_one_numa_node(plugin: Plugin) -> None:
    devices = next(plugin.watch()).devices
    node_of = {device.ID: device.topology.nodes[0].ID for device in devices}
    # Three left on the first socket, four on the second.
    available = [device.ID for device in devices][1:]
    wish = messages.message(
        "ContainerPreferredAllocationRequest", available_deviceIDs=available, allocation_size=4
    )
    sent = messages.message("PreferredAllocationRequest", container_requests=[wish])
    answer = plugin.call("GetPreferredAllocation", sent, "PreferredAllocationResponse")
    chosen = list(answer.container_responses[0].deviceIDs)
    assert len(chosen) == 4
    assert {node_of[one] for one in chosen} == {1}


def test_preference_keeps_what_must_be_kept(plugin: Plugin) -> None:
    devices = [device.ID for device in next(plugin.watch()).devices]
    wish = messages.message(
        "ContainerPreferredAllocationRequest",
        available_deviceIDs=devices,
        must_include_deviceIDs=[devices[0]],
        allocation_size=2,
    )
    sent = messages.message("PreferredAllocationRequest", container_requests=[wish])
    answer = plugin.call("GetPreferredAllocation", sent, "PreferredAllocationResponse")
    chosen = list(answer.container_responses[0].deviceIDs)
    assert chosen[0] == devices[0]
    assert chosen[1] in devices[1:4]


def test_plugin_comes_back_to_a_kubelet_that_restarts(kubelet: Kubelet, plugin: Plugin) -> None:
    before = list(_health(next(plugin.watch())))
    kubelet.stop()
    kubelet.start()
    again = kubelet.await_plugin()
    assert list(_health(next(again.watch()))) == before


def test_plugin_waits_for_a_kubelet_that_is_not_there_yet(folder: Path, offering: Offering) -> None:
    kubelet = Kubelet(folder)
    # The socket alone appears: a kubelet that is already up does not remove ours.
    offering.ill.write_text("")
    server = Kubelet.start
    server(kubelet)
    try:
        assert kubelet.await_plugin().request.resource_name == RESOURCE
    finally:
        kubelet.stop()


def test_stop_ends_the_stream(plugin: Plugin, offering: Offering) -> None:
    stream = plugin.watch()
    next(stream)
    offering.stop()
    with pytest.raises((grpc.RpcError, StopIteration)):
        next(stream)


def test_unknown_resource_gets_a_plain_product() -> None:
    product = device_plugin.product_of("nobody.example/chip")
    assert (product.name, product.resource) == ("chip", "nobody.example/chip")


def test_manifest_starts_the_plugin_with_arguments_it_takes() -> None:
    documents = list(yaml.safe_load_all(MANIFEST.read_text()))
    daemon = next(one for one in documents if one["kind"] == "DaemonSet")
    pod = daemon["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["command"] == ["python", "-m", "provisioning.sandbox.device_plugin"]
    chosen = device_plugin.parser().parse_args(container["args"])
    assert (chosen.resource, chosen.count) == (RESOURCE, 8)
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert Path(mounts["kubelet"]) == chosen.kubelet_dir
    assert chosen.unhealthy_file.is_relative_to(mounts["health"])
    assert not pod["automountServiceAccountToken"]
    assert "privileged" not in container["securityContext"]
