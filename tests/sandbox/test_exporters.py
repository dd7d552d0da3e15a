"""Exporters: the makers' metric names, values that follow the simulated devices."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.processes import Process, wait_for

FARM = """
delays: {schedule: 0.0, kubelet_sync: 0.0, container_start: 0.0, service_account: 0.0, lease: 0.5}
products:
  - {name: rngd, resource: furiosa.ai/rngd, family: f, id_pattern: "npu{index}", exporter: furiosa}
  - name: atom
    family: r
    resource: rebellions.ai/npu
    units_per_card: 4
    id_pattern: "rbln{index}"
    exporter: rebellions
  - name: old
    family: r
    resource: rebellions.ai/ATOM
    id_pattern: "rbln{index}"
    exporter: rebellions-old
images:
  - {name: registry.local/npu-workspace:1, pull_seconds: 0.0, stop_seconds: 0.0}
clusters:
  - name: quick
    nodes:
      - {name: one, devices: [{product: rngd, cards: 2}]}
      - {name: two, devices: [{product: atom, cards: 1}]}
      - {name: three, devices: [{product: old, cards: 1}]}
"""
PODS = "/api/v1/namespaces/npu-exporters/pods"


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("exporters")
    path = Path(folder, "farm.yaml")
    path.write_text(FARM)
    process = Process(folder / "state", farm=path)
    process.start()
    try:
        yield process
    finally:
        process.kill()


def _metrics(farm: Process, exporter: str, node: str) -> dict[str, float]:
    port = 6254 if exporter == "furiosa" else 9090
    path = f"{PODS}/{exporter}-metrics-exporter-{node}"
    wait_for(lambda: farm.ask("GET", path).body.get("status", {}).get("phase") == "Running")
    text = farm.ask("GET", f"{path}:{port}/proxy/metrics").text
    rows = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, _, value in rows}


def _of(metrics: dict[str, float], name: str, *labels: str) -> list[float]:
    return [
        value
        for series, value in metrics.items()
        if series.startswith(f"{name}{{") and all(label in series for label in labels)
    ]


def test_furiosa_names_devices_and_says_they_are_alive(farm: Process) -> None:
    metrics = _metrics(farm, "furiosa", "one")
    assert _of(metrics, "furiosa_npu_alive", 'uuid="npu0"', 'device="npu0"') == [1.0]
    assert len(_of(metrics, "furiosa_npu_alive")) == 2
    assert len(_of(metrics, "furiosa_npu_core_utilization", 'uuid="npu0"')) == 8
    assert _of(metrics, "furiosa_npu_hw_power", 'uuid="npu0"', 'label="rms"', 'hostname="one"')


def test_work_heat_and_owner_follow_the_pod_that_holds_the_device(farm: Process) -> None:
    idle = _metrics(farm, "furiosa", "one")
    farm.run("busy")
    farm.await_phase("busy", "Running")
    busy = _metrics(farm, "furiosa", "one")
    owned = ('pod="busy"', 'namespace="default"', 'container="main"')
    assert max(_of(busy, "furiosa_npu_core_utilization", *owned)) > 50
    assert not any(_of(idle, "furiosa_npu_core_utilization"))
    for name in ("furiosa_npu_hw_power", "furiosa_npu_hw_temperature"):
        assert max(_of(busy, name, *owned)) > max(_of(idle, name))


@pytest.fixture
def ill(farm: Process) -> Iterator[None]:
    """One ill device of each maker, well again afterwards."""
    devices = (("one", "furiosa.ai/rngd", "npu1"), ("two", "rebellions.ai/npu", "rbln3"))

    def turn(is_healthy: bool) -> None:
        for node, resource, device in devices:
            body = {"resource": resource, "id": device, "healthy": is_healthy}
            farm.operate("POST", f"/clusters/quick/nodes/{node}/devices", body)

    turn(False)
    yield
    turn(True)


@pytest.mark.usefixtures("ill")
def test_illness_is_told_in_each_makers_own_way(farm: Process) -> None:
    alive = _metrics(farm, "furiosa", "one")
    assert _of(alive, "furiosa_npu_alive", 'uuid="npu1"') == [0.0]
    assert _of(alive, "furiosa_npu_alive", 'uuid="npu0"') == [1.0]
    health = _metrics(farm, "rebellions", "two")
    assert _of(health, "rbln_npu_health", 'name="rbln3"') == [1.0]
    assert _of(health, "rbln_npu_health", 'name="rbln0"') == [0.0]


def test_older_names_are_printed_by_older_exporters(farm: Process) -> None:
    metrics = _metrics(farm, "rebellions-old", "three")
    assert _of(metrics, "RBLN_DEVICE_STATUS:HEALTH") == [0.0]
    assert not _of(metrics, "rbln_npu_health")


def test_exporter_that_is_deleted_comes_back(farm: Process) -> None:
    path = f"{PODS}/furiosa-metrics-exporter-one"
    _metrics(farm, "furiosa", "one")
    before = farm.ask("GET", path).body["metadata"]["uid"]
    farm.ask("DELETE", path, {"gracePeriodSeconds": 0})
    wait_for(
        lambda: farm.ask("GET", path).body.get("metadata", {}).get("uid") not in (None, before)
    )
