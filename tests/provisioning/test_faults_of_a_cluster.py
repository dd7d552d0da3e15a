"""A cluster that fails in every way it can, and what becomes of instances and their seconds."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.models import QuarantinedFact, UsageInterval
from provisioning import auditing, lifecycle, queries, relisting, stopping
from provisioning.models import Cluster, Instance, ObservedPod, RuntimeImage
from provisioning.states import State
from tests.provisioning.conftest import mend
from tests.provisioning.farms import Farm, kept, live_attempts, wait_until
from tests.sandbox.processes import Process


def past(instance: Instance, pause: timedelta) -> None:
    """As if the instance had stood where it stands for so long already."""
    instance.refresh_from_db()
    Instance.objects.filter(pk=instance.pk).update(
        state_since=instance.state_since - pause, next_reconcile_at=timezone.now()
    )


def stop(farm: Farm, instance: Instance) -> None:
    stopping.stop_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.STOPPED)
    assert farm.pods_of(instance) == []
    assert live_attempts(instance) == 0
    assert auditing.audit_usage() == []


def pod_path(farm: Farm, instance: Instance) -> str:
    metadata = farm.pods_of(instance)[-1]["metadata"]
    return f"/clusters/east/pods/{metadata['namespace']}/{metadata['name']}"


def test_a_server_that_is_down_fails_nobody(breakable: Farm, sandbox: Process) -> None:
    sandbox.plant("down", cluster="east", code=503)
    instance = breakable.launch()
    for _ in range(3):
        Instance.objects.update(next_reconcile_at=timezone.now())
        breakable.work()
    instance.refresh_from_db()
    assert (instance.state, instance.failures) == (State.PROVISIONING, 0)
    sandbox.lift()
    Instance.objects.update(next_reconcile_at=timezone.now())
    breakable.until(instance, State.RUNNING)
    assert instance.attempt_no == 1
    stop(breakable, instance)


def test_a_server_that_goes_down_takes_no_instance_with_it(
    breakable: Farm, sandbox: Process
) -> None:
    instance = breakable.until(breakable.launch(), State.RUNNING)
    breakable.watch()
    sandbox.plant("down", cluster="east", code=0)
    breakable.work()
    stopping.stop_instance(instance=instance, at=timezone.now())
    breakable.work()
    instance.refresh_from_db()
    assert instance.state == State.STOPPING
    assert kept(instance)[0][1] is None
    sandbox.lift()
    Cluster.objects.update(breaker_until=None)
    Instance.objects.update(next_reconcile_at=timezone.now())
    breakable.until(instance, State.STOPPED)
    assert kept(instance)[0][2] == "exact"


@pytest.mark.parametrize(
    ("shape", "when"), [("drop", "before"), ("drop", "after"), ("error", "after")]
)
@pytest.mark.parametrize("verb", ["create", "delete", "patch"])
def test_a_call_of_unknown_outcome_is_made_once_in_effect(
    breakable: Farm, sandbox: Process, shape: str, when: str, verb: str
) -> None:
    planted: dict[str, Any] = {"when": when, "verbs": [verb], "resource": "pods", "count": 1}
    sandbox.plant(shape, **planted, **({"code": 500} if shape == "error" else {}))
    instance = breakable.until(breakable.launch(), State.RUNNING)
    stop(breakable, instance)
    assert instance.attempt_no == 1
    assert len(kept(instance)) == 1
    assert kept(instance)[0][2] == "exact"
    assert not QuarantinedFact.objects.exists()


def test_too_many_requests_are_not_answered_with_more(breakable: Farm, sandbox: Process) -> None:
    instance = breakable.launch()
    sandbox.plant("error", code=429, retry_after=7, verbs=["create"], resource="pods", count=1)
    before = timezone.now()
    breakable.work()
    instance.refresh_from_db()
    assert instance.state == State.PROVISIONING
    assert instance.next_reconcile_at is not None
    assert instance.next_reconcile_at >= before + timedelta(seconds=7)
    Instance.objects.update(next_reconcile_at=timezone.now())
    breakable.until(instance, State.RUNNING)
    assert instance.attempt_no == 1
    stop(breakable, instance)


def test_a_device_that_is_not_admitted_costs_half_a_minute_and_nothing_else(
    breakable: Farm, sandbox: Process
) -> None:
    for node in ("node-1", "node-2"):
        path = f"/clusters/east/nodes/{node}/refuse-admission"
        sandbox.operate("POST", path, {"count": 1})
    instance = breakable.until(breakable.launch(), State.RECOVERING)
    assert instance.reason == "device_not_admitted"
    assert kept(instance) == []
    wait_until(lambda: live_attempts(instance) == 0, lambda: (breakable.watch(), breakable.work()))
    instance.refresh_from_db()
    assert instance.state == State.RECOVERING
    mend(sandbox)
    past(instance, timedelta(seconds=31))
    breakable.until(instance, State.RUNNING)
    assert instance.attempt_no == 2
    stop(breakable, instance)
    assert len(kept(instance)) == 1


def test_an_evicted_pod_is_replaced_and_its_seconds_count(
    breakable: Farm, sandbox: Process
) -> None:
    instance = breakable.until(breakable.launch(), State.RUNNING)
    time.sleep(1.1)
    sandbox.operate("POST", f"{pod_path(breakable, instance)}/evict", {})
    breakable.until(instance, State.RECOVERING)
    assert instance.reason == "evicted"
    past(instance, timedelta(minutes=6))
    breakable.until(instance, State.RUNNING)
    assert instance.attempt_no == 2
    stop(breakable, instance)
    assert len(kept(instance)) == 2
    assert kept(instance)[0][1] is not None


def test_a_container_out_of_memory_says_so(breakable: Farm, sandbox: Process) -> None:
    instance = breakable.until(breakable.launch(), State.RUNNING)
    path = f"{pod_path(breakable, instance)}/exit"
    sandbox.operate("POST", path, {"code": 137, "reason": "OOMKilled"})
    breakable.until(instance, State.RECOVERING)
    assert instance.reason == "out_of_memory"
    assert instance.message == "OOMKilled, exit code 137"
    stop(breakable, instance)


def test_an_image_that_is_not_there_is_waited_for_and_costs_nothing(
    breakable: Farm, sandbox: Process
) -> None:
    sandbox.operate("POST", "/clusters/east/images", {"image": "registry.local/gone:1"})
    RuntimeImage.objects.filter(slug="workspace").update(reference="registry.local/gone:1")
    instance = breakable.until(breakable.launch(), State.STARTING)

    def says_why() -> bool:
        instance.refresh_from_db()
        return instance.reason == "image_not_pulled"

    wait_until(says_why, lambda: (breakable.watch(), breakable.work()))
    assert "gone:1" in instance.message
    past(instance, lifecycle.STARTING_DEADLINE + timedelta(seconds=1))
    breakable.until(instance, State.FAILED)
    assert instance.reason == "image_not_pulled"
    assert instance.dead_letters.get().code == "not_started"
    wait_until(
        lambda: not breakable.pods_of(instance), lambda: (breakable.watch(), breakable.work())
    )
    assert kept(instance) == []


def test_a_device_that_falls_ill_is_not_given_to_anybody_else(
    breakable: Farm, sandbox: Process
) -> None:
    instance = breakable.until(breakable.launch(), State.RUNNING)
    node = ObservedPod.objects.get().node_name
    pools = sandbox.operate("GET", "/state")["clusters"]["east"]["nodes"][node]["devices"]
    idle = next(
        i for i in pools["furiosa.ai/rngd"]["ids"] if i not in pools["furiosa.ai/rngd"]["held"]
    )
    ill = {"resource": "furiosa.ai/rngd", "id": idle, "healthy": False}
    sandbox.operate("POST", f"/clusters/east/nodes/{node}/devices", ill)
    breakable.watch()
    (capacity,) = queries.capacity(at=timezone.now())
    assert (capacity.total, capacity.healthy, capacity.free) == (128, 127, 126)
    sandbox.operate("POST", f"/clusters/east/nodes/{node}/devices", {**ill, "healthy": True})
    stop(breakable, instance)


def test_a_silent_node_stops_the_meter_and_a_return_catches_up(
    breakable: Farm, sandbox: Process
) -> None:
    instance = breakable.until(breakable.launch(), State.RUNNING)
    breakable.watch()
    node = ObservedPod.objects.get().node_name
    sandbox.operate("POST", f"/clusters/east/nodes/{node}/lose", {})
    breakable.until(instance, State.UNREACHABLE)
    breakable.watch()
    proved = UsageInterval.objects.with_watermark().get().watermark
    time.sleep(1.1)
    relisting.bear_witness(breakable.cluster, clock=timezone.now)
    assert UsageInterval.objects.with_watermark().get().watermark == proved
    sandbox.operate("POST", f"/clusters/east/nodes/{node}/return", {})
    breakable.until(instance, State.RUNNING)
    wait_until(
        lambda: UsageInterval.objects.with_watermark().get().watermark > proved, breakable.watch
    )
    assert instance.attempt_no == 1
    stop(breakable, instance)
    assert kept(instance)[0][2] == "exact"


def test_a_lost_node_is_replaced_and_what_it_still_ran_is_told_when_it_returns(
    breakable: Farm, sandbox: Process
) -> None:
    instance = breakable.until(breakable.launch(), State.RUNNING)
    breakable.watch()
    node = ObservedPod.objects.get().node_name
    sandbox.operate("POST", f"/clusters/east/nodes/{node}/lose", {})
    breakable.until(instance, State.UNREACHABLE)
    past(instance, lifecycle.UNREACHABLE_DEADLINE + timedelta(seconds=1))
    breakable.until(instance, State.RECOVERING)
    assert instance.reason == "node_lost"
    past(instance, timedelta(minutes=6))
    breakable.until(instance, State.RUNNING)
    assert instance.attempt_no == 2
    pods = {pod["metadata"]["name"][-2:]: pod for pod in breakable.pods_of(instance)}
    assert pods["a1"]["metadata"]["deletionTimestamp"]
    assert pods["a2"]["spec"]["nodeName"] != node
    # Nothing says when the first run ended: it is not over, and not billed beyond its proof.
    assert [end for _, end, _ in kept(instance)] == [None, None]
    sandbox.operate("POST", f"/clusters/east/nodes/{node}/return", {})
    wait_until(
        lambda: len(breakable.pods_of(instance)) == 1,
        lambda: (breakable.watch(), breakable.work()),
    )
    stop(breakable, instance)
    assert [quality for *_, quality in kept(instance)] == ["exact", "exact"]
