"""An exporter is found by its vendor's label, asked once somebody says so, and believed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from provisioning import exporters, offers, pointing, queries
from provisioning.errors import IllegalSpec
from provisioning.models import Cluster, Device, Health, Outage, Pool
from provisioning.states import State
from tests.factories.provisioning import NOON, RNGD
from tests.provisioning.farms import Farm, wait_until
from tests.sandbox.processes import Process

FARM = """
products:
  - {name: rngd, family: f, resource: furiosa.ai/rngd, id_pattern: "{uuid}", exporter: furiosa}
images:
  - {name: registry.local/npu-workspace:1, pull_seconds: 0.0, stop_seconds: 0.0}
delays: {schedule: 0.0, kubelet_sync: 0.0, container_start: 0.0, service_account: 0.0, lease: 0.5}
clusters:
  - name: east
    nodes:
      - {name: node, count: 2, cpu: "400", memory: 3200Gi, storage: 6400Gi,
         devices: [{product: rngd, cards: 2}]}
"""


@pytest.fixture
def exported(small: None, tmp_path: Path) -> Iterator[tuple[Process, Farm]]:
    """A cluster whose nodes have an exporter each."""
    path = tmp_path / "farm.yaml"
    path.write_text(FARM)
    process = Process(tmp_path / "state", farm=path)
    process.start()
    yield process, Farm.on(process.folder / "east.kubeconfig")
    process.kill()


def free_of(pool: Pool) -> int:
    return offers.of_pools([pool])[0].free


def test_a_live_exporter_is_found_asked_and_believed(exported: tuple[Process, Farm]) -> None:
    sandbox, farm = exported
    pool = Pool.objects.get(resource_name=RNGD)
    wait_until(lambda: sum(one.pods for one in pointing.find_exporters(pool=pool)) == 2)
    (found,) = pointing.find_exporters(pool=pool)
    pointing.point_pool(
        pool=pool, namespace=found.namespace, selector=found.selector, port=found.port
    )
    instance = farm.until(farm.launch(), State.RUNNING)
    (held,) = queries.devices_of(instance)

    wait_until(lambda: exporters.read_exporters(clock=timezone.now) == 2)
    device = Device.objects.get(device_id=held.device_id)
    assert device.metric_health == Health.HEALTHY
    assert device.busy_at is not None
    assert pointing.pools_heard().get().heard_at == device.metric_seen_at

    # The watcher does not look again, so the exporter alone tells.
    body = {"id": held.device_id, "resource": RNGD, "healthy": False}
    sandbox.operate("POST", f"/clusters/east/nodes/{held.node_name}/devices", body)
    exporters.read_exporters(clock=timezone.now)
    outage = Outage.objects.get(ended_at=None)
    assert (outage.cause, outage.device) == ("device_metric", device)

    pointing.unpoint_pool(pool=pool, at=timezone.now())
    assert not Outage.objects.filter(ended_at=None).exists()
    assert exporters.read_exporters(clock=timezone.now) == 0


def test_what_a_forgotten_exporter_called_ill_is_for_sale_again(cluster: Cluster) -> None:
    pool = Pool.objects.get()
    pointing.point_pool(pool=pool, namespace="npu-system", selector="app=exporter", port=6254)
    node = cluster.nodes.get()
    Device.objects.create(node=node, pool=pool, device_id="npu0", first_seen_at=NOON, seen_at=NOON)
    ill = exporters.Reading(frozenset({"npu0"}), is_good=False)
    exporters.hear_readings(node=node, pool=pool, readings=[ill], source="exporter-1", at=NOON)
    assert free_of(pool) == 7
    pointing.unpoint_pool(pool=pool, at=NOON + timedelta(minutes=1))
    assert free_of(pool) == 8
    assert Outage.objects.get().ended_at == NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("namespace", "selector", "port"),
    [
        ("../kube-system", "app=exporter", 9400),
        ("npu-system", "app=exporter&limit=1", 9400),
        ("npu-system", "", 9400),
        ("npu-system", "app=exporter", 0),
    ],
)
def test_an_address_that_is_none_is_refused(
    cluster: Cluster, namespace: str, selector: str, port: int
) -> None:
    pool = Pool.objects.get()
    with pytest.raises(IllegalSpec):
        pointing.point_pool(pool=pool, namespace=namespace, selector=selector, port=port)
    assert Pool.objects.get().exporter == {}
