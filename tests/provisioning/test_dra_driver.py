"""The simulated DRA driver, asked by a kubelet of our own over its sockets."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from provisioning.sandbox import dra_driver
from provisioning.sandbox.dra.api import ApiError
from provisioning.sandbox.dra.cdi import CdiFolder
from provisioning.sandbox.dra.health import HealthTeller
from provisioning.sandbox.dra.messages import DRA, HEALTH, REGISTRATION, encode
from provisioning.sandbox.dra.serving import DriverServer

DRIVER = "npu.rebellions.ai"
UID = "11111111-2222-3333-4444-555555555555"


class FakeApi:
    """An API server with one claim and the slices it was given."""

    def __init__(self) -> None:
        self.slices: dict[str, dict[str, Any]] = {}
        self.writes = 0

    def claim(self, *, namespace: str, name: str) -> dict[str, Any]:
        if name != "c":
            raise ApiError(404, "not found")
        results = [
            {"request": "npu", "driver": DRIVER, "pool": "node-1", "device": device}
            for device in ("npu0", "npu1")
        ]
        results.append({"request": "nic", "driver": "other", "pool": "node-1", "device": "nic0"})
        allocation = {"devices": {"results": results}}
        return {"metadata": {"uid": UID}, "status": {"allocation": allocation}}

    def node_uid(self, name: str) -> str:
        return "node-uid"

    def find_slice(self, name: str) -> dict[str, Any] | None:
        return self.slices.get(name)

    def put_slice(self, body: dict[str, Any], *, is_new: bool) -> dict[str, Any]:
        assert is_new is (body["metadata"]["name"] not in self.slices)
        self.slices[body["metadata"]["name"]] = body
        self.writes += 1
        return body


@pytest.fixture
def health() -> dict[str, bool]:
    return {"npu0": True, "npu1": False}


@pytest.fixture
def server(tmp_path: Path, health: dict[str, bool]) -> Iterator[DriverServer]:
    # A socket's path has to be short, and pytest's folders are not.
    kubelet = tempfile.TemporaryDirectory(prefix="k")
    server = DriverServer(
        DRIVER,
        kubelet=Path(kubelet.name),
        api=FakeApi(),  # type: ignore[arg-type]
        cdi=CdiFolder(DRIVER, tmp_path / "cdi"),
        health=HealthTeller(pool="node-1", health=lambda: dict(health)),
    )
    server.start()
    yield server
    server.stop()
    kubelet.cleanup()


def ask(socket: Path, path: str, request: Any, answer: Any) -> Any:
    with grpc.insecure_channel(f"unix://{socket}") as channel:
        call = channel.unary_unary(path, request_serializer=encode, response_deserializer=answer)
        return call(request, timeout=5)


def prepare(server: DriverServer, *, name: str = "c", uid: str = UID) -> Any:
    claim = DRA.message("Claim", namespace="n", name=name, uid=uid)
    path = f"/{DRA.package}.DRAPlugin/NodePrepareResources"
    request = DRA.message("NodePrepareResourcesRequest", claims=[claim])
    decoder = DRA.decoder("NodePrepareResourcesResponse")
    (entry,) = ask(server.socket, path, request, decoder).claims
    assert entry.key == uid
    return entry.value


def test_a_kubelet_learns_who_and_where(server: DriverServer) -> None:
    path = "/pluginregistration.Registration/GetInfo"
    request = REGISTRATION.message("InfoRequest")
    told = ask(server.registration, path, request, REGISTRATION.decoder("PluginInfo"))
    assert (told.type, told.name, told.endpoint) == ("DRAPlugin", DRIVER, str(server.socket))
    assert list(told.supported_versions) == ["v1.DRAPlugin", "v1alpha1.DRAResourceHealth"]


def test_a_claim_is_prepared_once_and_the_same_again(server: DriverServer, tmp_path: Path) -> None:
    first, again = prepare(server), prepare(server)
    assert first == again
    # Only what this driver was allocated; another driver's device is another's to prepare.
    assert [one.device_name for one in first.devices] == ["npu0", "npu1"]
    assert {tuple(one.cdi_device_ids) for one in first.devices} == {(f"{DRIVER}/claim={UID}",)}
    (file,) = (tmp_path / "cdi").glob("*.json")
    (device,) = json.loads(file.read_text())["devices"]
    assert device["containerEdits"]["env"] == ["NPU_DEVICES=npu0,npu1"]


def test_unpreparing_forgets_a_claim_that_is_gone(server: DriverServer, tmp_path: Path) -> None:
    prepare(server)
    path = f"/{DRA.package}.DRAPlugin/NodeUnprepareResources"
    claims = [DRA.message("Claim", namespace="n", name="gone", uid=uid) for uid in (UID, "x")]
    request = DRA.message("NodeUnprepareResourcesRequest", claims=claims)
    told = ask(server.socket, path, request, DRA.decoder("NodeUnprepareResourcesResponse"))
    assert [entry.value.error for entry in told.claims] == ["", ""]
    assert not list((tmp_path / "cdi").glob("*.json"))


def test_a_claim_of_another_life_is_refused(server: DriverServer) -> None:
    assert "another claim" in prepare(server, uid="other").error
    assert "cannot read" in prepare(server, name="missing").error


def test_a_kubelet_hears_which_devices_are_well(server: DriverServer) -> None:
    with grpc.insecure_channel(f"unix://{server.socket}") as channel:
        call = channel.unary_stream(
            "/v1alpha1.DRAResourceHealth/NodeWatchResources",
            request_serializer=encode,
            response_deserializer=HEALTH.decoder("NodeWatchResourcesResponse"),
        )
        stream = call(HEALTH.message("NodeWatchResourcesRequest"), timeout=5)
        told = {one.device.device_name: one.health for one in next(stream).devices}
        stream.cancel()
    assert told == {"npu0": 1, "npu1": 2}


def test_a_change_is_another_generation_and_no_change_is_no_write() -> None:
    api = FakeApi()
    publisher = dra_driver.Publisher(
        dra_driver.product_of(DRIVER),
        api=api,  # type: ignore[arg-type]
        node_name="node-1",
        count=4,
    )
    for ill in (set(), set(), {"2"}):
        publisher.publish(ill=ill)
    (body,) = api.slices.values()
    assert api.writes == 2
    assert body["spec"]["pool"]["generation"] == 2
    tainted = [one["name"] for one in body["spec"]["devices"] if "taints" in one]
    assert tainted == ["npu2"]
    assert body["metadata"]["ownerReferences"][0]["uid"] == "node-uid"
    assert body["spec"]["devices"][0]["attributes"]["productName"] == {"string": "RBLN-CA25"}
