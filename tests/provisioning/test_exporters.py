"""What a vendor's exporter says of its devices counts beside what the plugin says."""

from datetime import timedelta

import pytest

from provisioning import exporters, offers
from provisioning.cluster import scraping
from provisioning.errors import ClusterUnreachable
from provisioning.models import Cluster, Device, Node, Outage, Pool
from provisioning.vendors import VENDORS, Health
from tests.factories.provisioning import NOON

FURIOSA = VENDORS["furiosa"].health
REBELLIONS = VENDORS["rebellions"].health
ADDRESS = {"namespace": "npu-system", "selector": "app=exporter", "port": 9402}
ALIVE = """# TYPE furiosa_npu_alive gauge
furiosa_npu_alive{{arch="rngd",device="npu0",uuid="A"}} {first}
furiosa_npu_alive{{arch="rngd",device="npu1",uuid="B"}} 1
furiosa_npu_power{{device="npu0"}} 0
"""
OLD_NAME = 'RBLN_DEVICE_STATUS:HEALTH{card="rbln0"} 0\nRBLN_DEVICE_STATUS:HEALTH{card="rbln1"} 3\n'


@pytest.fixture
def pool(cluster: Cluster) -> Pool:
    """Two devices are known by name, and an exporter is known."""
    pool = Pool.objects.get(cluster=cluster)
    pool.exporter = ADDRESS
    pool.save()
    for device_id in ("npu0", "npu1"):
        Device.objects.create(
            node=Node.objects.get(),
            pool=pool,
            device_id=device_id,
            first_seen_at=NOON,
            seen_at=NOON,
        )
    return pool


def says(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    pod = {"metadata": {"name": "exporter-1"}, "spec": {"nodeName": "node-1"}}
    monkeypatch.setattr(scraping, "list_exporters", lambda *_, **__: [pod])
    monkeypatch.setattr(scraping, "read_metrics", lambda *_, **__: text)


def test_a_device_its_exporter_calls_dead_is_out_of_sale_until_it_is_alive(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, ALIVE.format(first=0))
    assert exporters.read_exporters(clock=lambda: NOON) == 1
    ill = Device.objects.get(metric_health="unhealthy")
    assert ill.device_id == "npu0"
    assert offers.of_pools([pool])[0].free == 7
    says(monkeypatch, ALIVE.format(first=1))
    exporters.read_exporters(clock=lambda: NOON + timedelta(minutes=1))
    assert offers.of_pools([pool])[0].free == 8
    outage = Outage.objects.get()
    assert (outage.started_at, outage.ended_at) == (NOON, NOON + timedelta(minutes=1))
    assert outage.evidence["start"] == "observed"


@pytest.mark.parametrize(
    ("text", "meaning", "good"),
    [
        (ALIVE.format(first=0), FURIOSA, {"npu0": False, "npu1": True}),
        (OLD_NAME, REBELLIONS, {"rbln0": True, "rbln1": False}),
    ],
)
def test_vendors_point_opposite_ways(text: str, meaning: Health, good: dict[str, bool]) -> None:
    readings = exporters.readings_in(text, meaning=meaning)
    assert {
        name: reading.is_good for reading in readings for name in reading.names if name in good
    } == good
    assert len(readings) == 2


def test_an_exporter_that_prints_nonsense_changes_nothing(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, "<html>{{{")
    assert exporters.read_exporters(clock=lambda: NOON) == 0
    assert not Outage.objects.exists()


def test_an_exporter_that_cannot_be_asked_changes_nothing(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> list[object]:
        raise ClusterUnreachable

    monkeypatch.setattr(scraping, "list_exporters", refuse)
    assert exporters.read_exporters(clock=lambda: NOON) == 0


def test_the_time_it_may_take_is_kept(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, ALIVE.format(first=0))
    ticks = iter([NOON, NOON + exporters.AT_MOST])
    assert exporters.read_exporters(clock=lambda: next(ticks)) == 0
