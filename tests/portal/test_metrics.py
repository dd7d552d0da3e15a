"""What an operator watches is read from the rows, by those who may."""

from collections import Counter
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from provisioning import counting, marking
from provisioning.models import Cluster, DeadLetter, HoldCause, Instance, LoopCount
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster() -> Cluster:
    factory.load_catalog()
    cluster = factory.add_cluster()
    factory.add_nodes(cluster, leases=[factory.raw_lease()])
    Cluster.objects.filter(pk=cluster.pk).update(last_event_at=NOON, last_list_at=NOON)
    return cluster


def read(client: Client, **headers: str) -> dict[str, float]:
    answer = client.get("/metrics", headers={"Host": "localhost", **headers})
    assert answer.status_code == 200, answer.content
    return {
        "".join([sample.name, *(f" {k}={v}" for k, v in sorted(sample.labels.items()))]): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_a_silent_watcher_shows_in_its_age(client: Client, cluster: Cluster) -> None:
    with time_machine.travel(NOON + timedelta(minutes=7), tick=False):
        found = read(client)
        assert found["npu_farm_cluster_state_age_seconds cluster=east"] == 420
        assert client.get("/healthz/watching").status_code == 503
    with time_machine.travel(NOON + timedelta(seconds=80), tick=False):
        assert client.get("/healthz/watching").status_code == 200


def test_what_waits_and_what_is_stuck_is_counted(client: Client, cluster: Cluster) -> None:
    instance = factory.launch()
    DeadLetter.objects.create(
        instance=instance, code="not_started", message="", first_at=NOON, last_at=NOON
    )
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        found = read(client)
    assert found["npu_farm_due_rows"] == 1
    assert found["npu_farm_due_oldest_seconds"] == 60
    assert found["npu_farm_dead_letters code=not_started"] == 1
    assert found["npu_farm_instances state=queued"] == 1
    Instance.objects.update(state=State.STOPPED, next_reconcile_at=None)
    found = read(client)
    assert found["npu_farm_due_rows"] == 0
    assert found["npu_farm_instances state=queued"] == 0
    assert found["npu_farm_instances state=stopped"] == 1


def test_a_held_cluster_shows(client: Client, cluster: Cluster) -> None:
    assert read(client)["npu_farm_cluster_held cluster=east"] == 0
    marking.hold(cluster, cause=HoldCause.RESTORED, known_until=None, at=NOON)
    found = read(client)
    assert found["npu_farm_cluster_held cluster=east"] == 1
    assert found["npu_farm_cluster_alarms cluster=east code=database_older"] == 1


def test_counts_of_many_processes_add_up(
    client: Client, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever else this process has done so far is not of this test.
    monkeypatch.setattr(counting, "_counted", Counter())
    for _ in range(2):
        counting.count("reconcile", "did CreatePod", 3)
        counting.add_up(at=NOON)
        counting.add_up(at=NOON)
    assert LoopCount.objects.get().count == 6
    found = read(client)
    assert found["npu_farm_loop_results_total loop=reconcile result=did CreatePod"] == 6


def test_devices_are_counted_by_pool(client: Client, cluster: Cluster) -> None:
    found = read(client)
    total = {name: value for name, value in found.items() if "kind=total" in name}
    assert list(total.values()) == [8.0]


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.7", {}, 403),
        ("", {}, 403),
        ("127.0.0.1", {"Host": "[::1]:8000"}, 200),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.7"}, 403),
        ("127.0.0.1", {"Via": "1.1 front"}, 403),
        ("127.0.0.1", {"Host": "farm.example"}, 403),
        ("127.0.0.1", {"Host": "["}, 403),
    ],
)
def test_without_a_token_only_the_machine_itself_reads(
    client: Client, address: str, headers: dict[str, str], status: int
) -> None:
    named = {"Host": "127.0.0.1:8000", **headers}
    answer = client.get("/metrics", headers=named, REMOTE_ADDR=address)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FARM_ADDRESS", "https://farm.example"),
        ("SECURE_PROXY_SSL_HEADER", ("HTTP_X_FORWARDED_PROTO", "https")),
    ],
)
def test_behind_a_proxy_nobody_reads_without_a_token(
    client: Client, settings: Settings, name: str, value: object
) -> None:
    # A proxy on this machine that adds nothing looks just as the machine itself.
    assert read(client)
    setattr(settings, name, value)
    assert client.get("/metrics", headers={"Host": "localhost"}).status_code == 403
    settings.METRICS_TOKEN = "pear"
    assert read(client, Authorization="Bearer pear")


def test_with_a_token_only_the_token_reads(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "pear"
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer plum"}).status_code == 403
    assert read(client, Authorization="Bearer pear")
