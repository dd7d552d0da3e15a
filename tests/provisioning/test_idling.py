"""Devices that do nothing for hours are pointed out to whoever pays for them."""

from datetime import timedelta

import pytest

from provisioning import exporters, idling, inventory
from provisioning.cluster import scraping
from provisioning.models import Allocation, Cluster, Device, Instance, Node, Pool, TenantNotice
from provisioning.vendors import VENDORS
from tests.factories import billing as billing_factory
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON

HOUR = timedelta(hours=1)
LOAD = """# TYPE furiosa_npu_alive gauge
furiosa_npu_alive{{device="npu0"}} 1
furiosa_npu_core_utilization{{device="npu0",core="0"}} 0
furiosa_npu_core_utilization{{device="npu0",core="1"}} {percent}
"""


@pytest.fixture
def instance(cluster: Cluster) -> Instance:
    """It has run since noon, on one device whose exporter is known."""
    instance = factory.launch()
    attempt = factory.put_on(instance, cluster)
    Pool.objects.update(exporter={"namespace": "npu-system", "selector": "a=b", "port": 9402})
    node = Node.objects.get()
    pool = attempt.pool
    Device.objects.create(node=node, pool=pool, device_id="npu0", first_seen_at=NOON, seen_at=NOON)
    interval = billing_factory.record_use(
        account=instance.account,
        sku_code=instance.sku_code,
        resource_ref=str(instance.pk),
        started_at=NOON,
        seconds=None,
    )
    Allocation.objects.create(
        cluster=cluster,
        node_uid=node.uid,
        node_name=node.name,
        resource_name=pool.resource_name,
        device_id="npu0",
        instance=instance,
        interval=interval,
        started_at=NOON,
    )
    return instance


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def tell(percent: float, *, at) -> None:  # type: ignore[no-untyped-def]
        pod = {"metadata": {"name": "exporter-1"}, "spec": {"nodeName": "node-1"}}
        monkeypatch.setattr(scraping, "list_exporters", lambda *_, **__: [pod])
        monkeypatch.setattr(scraping, "read_metrics", lambda *_, **__: LOAD.format(percent=percent))
        exporters.read_exporters(clock=lambda: at)

    return tell


def test_two_quiet_hours_are_told_once_a_day(instance: Instance, tell) -> None:  # type: ignore[no-untyped-def]
    tell(40, at=NOON + HOUR)
    tell(0, at=NOON + 2 * HOUR)
    assert idling.hint_at_idle(at=NOON + 2 * HOUR) == 0
    tell(0, at=NOON + 3 * HOUR)
    assert [idling.hint_at_idle(at=NOON + 3 * HOUR) for _ in range(2)] == [1, 0]
    tell(0, at=NOON + 26 * HOUR)
    assert idling.hint_at_idle(at=NOON + 26 * HOUR) == 1
    assert set(TenantNotice.objects.values_list("kind", flat=True)) == {"instance_idle"}
    (warned,) = inventory.warnings_of(instance, at=NOON + 26 * HOUR)
    assert (warned.code, warned.at) == ("idle", NOON + HOUR)


def test_one_core_at_work_is_enough(instance: Instance, tell) -> None:  # type: ignore[no-untyped-def]
    tell(3, at=NOON + 3 * HOUR)
    assert idling.idle_since(instance, at=NOON + 3 * HOUR) is None


def test_an_exporter_that_is_silent_proves_no_idleness(instance: Instance, tell) -> None:  # type: ignore[no-untyped-def]
    assert idling.idle_since(instance, at=NOON + 3 * HOUR) is None
    tell(0, at=NOON + 3 * HOUR)
    assert idling.idle_since(instance, at=NOON + 3 * HOUR) == NOON
    assert idling.idle_since(instance, at=NOON + 4 * HOUR) is None


def test_both_names_of_a_metric_tell_the_same() -> None:
    load = VENDORS["rebellions"].load
    assert load is not None
    old = 'RBLN_DEVICE_STATUS:UTILIZATION{card="rbln0"} 12\n'
    assert exporters.busy_in(old, load=load) == {"rbln0": True}
    assert exporters.busy_in(old.replace(" 12", " 0"), load=load) == {"rbln0": False}
    assert exporters.busy_in('rbln_npu_utilization{name="rbln0"} 2\n', load=load) == {"rbln0": True}
