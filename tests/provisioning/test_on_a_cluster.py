"""Instances on a cluster that answers: launch, run, stop, and everything in between.

The test is worker and watcher, so it can be late, absent or interrupted where it wants.
"""

import itertools
from datetime import timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone

from billing.models import UsageInterval
from provisioning import auditing, installation, queries, reading, stopping
from provisioning.cluster import connections, requests
from provisioning.errors import NoLogsYet
from provisioning.models import Attempt, Cluster, Instance, NodeCapacity, Transition
from provisioning.states import Desired, State
from tests.provisioning.farms import (
    FAILS,
    ONE_SECOND,
    Farm,
    is_over,
    kept,
    live_attempts,
    runs,
    second,
    told,
    wait_until,
)


def test_the_whole_way(farm: Farm) -> None:
    instance = farm.until(farm.launch(instance_type="rngd-2"), State.RUNNING)
    devices = queries.devices_of(instance)
    assert len(devices) == 2
    assert len({device.device_id for device in devices}) == 2
    second()
    stopping.stop_instance(instance=instance, at=timezone.now())
    farm.work()
    pod = farm.until_pod(instance, is_over)
    farm.until(instance, State.STOPPED)
    start, end = told(pod)
    assert kept(instance) == [(start, end, "exact")]
    assert end > start
    assert [(d.started_at, d.ended_at) for d in queries.devices_of(instance)] == [(start, end)] * 2
    assert farm.pods_of(instance) == []
    assert live_attempts(instance) == 0
    states = [transition.to_state for transition in queries.timeline(instance)]
    assert states[0] == "queued"
    assert states[-4:] == ["starting", "running", "stopping", "stopped"] or states[-3:] == [
        "running",
        "stopping",
        "stopped",
    ]
    assert auditing.audit_usage() == []


def test_a_stopped_instance_starts_again_and_both_runs_count(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    stopping.stop_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.STOPPED)
    assert instance.settled_launch_no == 1
    stopping.start_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.RUNNING)
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)
    assert [quality for *_, quality in kept(instance)] == ["exact", "exact"]
    assert instance.settled_launch_no == 2
    assert farm.pods_of(instance) == []


def test_the_watcher_away_while_a_pod_starts_ends_and_is_deleted(farm: Farm) -> None:
    instance = farm.launch()
    farm.until(instance, State.SCHEDULING, watching=False)
    farm.until_pod(instance, runs)
    second()
    farm.delete_by_hand(instance)
    pod = farm.until_pod(instance, is_over)
    assert pod["metadata"]["finalizers"] == [installation.current().finalizer]
    assert not UsageInterval.objects.exists()
    stopping.stop_instance(instance=instance, at=timezone.now())
    # Back again, everything is still there to be read.
    farm.until(instance, State.STOPPED)
    assert kept(instance) == [(*told(pod), "exact")]
    assert farm.pods_of(instance) == []
    assert auditing.audit_usage() == []


def test_a_pod_deleted_by_hand_is_replaced(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    farm.delete_by_hand(instance)
    farm.watch()
    farm.until(instance, State.RECOVERING)
    assert instance.reason == "deleted_outside"
    farm.until(instance, State.RUNNING)
    assert instance.attempt_no == 2
    assert len(farm.pods_of(instance)) == 1
    qualities = [quality for *_, quality in kept(instance)]
    assert qualities == ["exact", None]


def test_a_container_that_fails_is_tried_five_times(farm: Farm) -> None:
    instance = farm.launch(command=FAILS)
    for attempt_no in range(1, 6):
        farm.until(instance, State.RECOVERING, State.FAILED)
        assert instance.attempt_no == attempt_no
        # Its pauses are not this test's: make as if they had passed.
        past = timezone.now() - timedelta(minutes=6)
        Instance.objects.filter(pk=instance.pk, state=State.RECOVERING).update(
            state_since=past, next_reconcile_at=past
        )
        wait_until(
            lambda n=attempt_no: _moved_on(instance, n),  # type: ignore[misc]
            lambda: (farm.work(), farm.watch()),
        )
    assert (instance.state, instance.reason) == (State.FAILED, "too_many_attempts")
    assert instance.dead_letters.get().code == "too_many_attempts"
    wait_until(lambda: not farm.pods_of(instance), lambda: (farm.work(), farm.watch()))
    assert live_attempts(instance) == 0


def _moved_on(instance: Instance, attempt_no: int) -> bool:
    instance.refresh_from_db()
    return instance.attempt_no > attempt_no or instance.state == State.FAILED


def test_a_program_that_finishes_stops_its_instance(farm: Farm) -> None:
    instance = farm.launch(command=ONE_SECOND)
    farm.until(instance, State.STOPPED)
    assert instance.reason == "finished"
    assert instance.desired == Desired.RUNNING
    farm.work()
    instance.refresh_from_db()
    assert instance.state == State.STOPPED
    ((start, end, quality),) = kept(instance)
    assert quality == "exact"
    assert end is not None
    assert end > start


def test_a_launch_withdrawn_before_anybody_looked_leaves_nothing(farm: Farm) -> None:
    instance = farm.launch()
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)
    assert farm.pods_of(instance) == []
    assert not Attempt.objects.exists()
    assert kept(instance) == []


def test_a_pod_deleted_before_it_found_a_node_goes_without_a_bill(farm: Farm) -> None:
    # More processors than any node has: the scheduler will never bind it.
    instance = farm.launch(instance_type="rngd-1")
    Instance.objects.update(cpu_millicores=9_000_000)
    farm.until(instance, State.SCHEDULING)
    farm.watch()
    farm.work()
    instance.refresh_from_db()
    assert instance.reason == "unschedulable"
    assert "Insufficient cpu" in instance.message
    stopping.stop_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.STOPPED)
    assert farm.pods_of(instance) == []
    assert kept(instance) == []


def test_logs_and_events_are_read_from_the_pod(farm: Farm) -> None:
    instance = farm.launch()
    with pytest.raises(NoLogsYet):
        reading.read_logs(instance=instance)
    farm.until(instance, State.RUNNING)
    assert isinstance(reading.read_logs(instance=instance), str)
    reasons = {event.reason for event in reading.read_events(instance=instance)}
    assert "Scheduled" in reasons
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)
    with pytest.raises(NoLogsYet):
        reading.read_logs(instance=instance)


def test_a_tenants_namespace_stands_before_its_pod(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    namespace = installation.current().namespace(instance.tenant_id)
    pod = farm.pods_of(instance)[0]
    assert pod["metadata"]["namespace"] == namespace
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/npu-tenant"
    quota = requests.ask(
        connections.connection_to(farm.cluster), requests.Request(method="GET", path=path)
    )
    there = NodeCapacity.objects.aggregate(total=Sum("capacity"))["total"]
    assert quota["spec"]["hard"]["requests.furiosa.ai/rngd"] == str(there)
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_moves_are_told_once_each(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)
    rows = list(Transition.objects.filter(instance=instance).order_by("id"))
    for before, after in itertools.pairwise(rows):
        assert before.to_state == after.from_state
    assert rows[-1].to_state == State.TERMINATED
    assert Cluster.objects.get().breaker_failures == 0
