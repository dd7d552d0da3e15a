"""The rows of the fault table that a real kubelet can be made to show.

Worker and watcher are moved by the test; the API server, the scheduler and the kubelet are
real.  Each test ends with nothing of its own on the cluster, and the ledger's seconds are
compared with what the container itself says.
"""

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from provisioning import auditing, installation, lingering, manifests, orphaned, stopping
from provisioning.cluster import asking, connections, requests
from provisioning.cluster.requests import Request
from provisioning.models import Instance, NodeCapacity, ObservedPod, RuntimeImage, Transition
from provisioning.names import Marks
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.provisioning.farms import Farm, is_over, kept, told, wait_until
from tests.provisioning.test_faults_of_a_cluster import past
from tests.real.conftest import IMAGE, Disturb
from tests.real.nodes import Plugin, devices_on

pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
MISSING = "registry.local/no-such-image:1"


def due() -> None:
    Instance.objects.filter(lease_token=None).update(next_reconcile_at=timezone.now())


def states(instance: Instance) -> list[str]:
    rows = Transition.objects.filter(instance=instance).order_by("id")
    return list(rows.values_list("to_state", flat=True))


def end(farm: Farm, instance: Instance) -> None:
    """Take it away, and hold the books against what was said."""
    stopping.terminate_instance(instance=instance, at=timezone.now())
    wait_until(lambda: _is(farm, instance, State.TERMINATED), lambda: part(farm), seconds=90)
    assert farm.pods_of(instance) == []
    assert auditing.audit_usage() == []


def part(farm: Farm) -> None:
    due()
    farm.work()
    farm.watch()
    time.sleep(0.2)


def _is(farm: Farm, instance: Instance, state: State) -> bool:
    instance.refresh_from_db()
    return instance.state == state


def reach(farm: Farm, instance: Instance, state: State, seconds: float = 60) -> Instance:
    wait_until(
        lambda: _is(farm, instance, state),
        lambda: part(farm),
        lambda: f"{instance.state} {instance.reason} {instance.message}",
        seconds=seconds,
    )
    return instance


def ask(farm: Farm, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    connection = connections.connection_to(farm.cluster)
    return requests.ask(connection, Request(method=method, path=path, body=body))


def namespace_of(instance: Instance) -> str:
    return installation.current().namespace(instance.tenant_id)


def uid_of(farm: Farm, instance: Instance) -> str:
    return str(farm.pods_of(instance)[-1]["metadata"]["uid"])


def test_a_pod_deleted_by_hand_before_it_ran_costs_nothing(farm: Farm) -> None:
    RuntimeImage.objects.update(reference=MISSING)
    instance = reach(farm, farm.launch(), State.STARTING)
    Instance.objects.update(image=IMAGE)
    farm.delete_by_hand(instance)
    reach(farm, instance, State.RUNNING)
    assert instance.attempt_no == 2
    assert "recovering" in states(instance)
    assert len(kept(instance)) == 1, "only the second attempt ran"
    end(farm, instance)


def test_a_pod_deleted_by_hand_while_it_runs_is_paid_to_its_last_second(farm: Farm) -> None:
    instance = reach(farm, farm.launch(), State.RUNNING)
    time.sleep(2)
    farm.delete_by_hand(instance)
    over = farm.until_pod(instance, is_over)
    reach(farm, instance, State.RECOVERING)
    assert instance.reason == "deleted_outside"
    reach(farm, instance, State.RUNNING)
    assert kept(instance)[0] == (*told(over), "exact")
    end(farm, instance)


def test_a_missing_image_waits_and_says_so(farm: Farm) -> None:
    RuntimeImage.objects.update(reference=MISSING)
    instance = reach(farm, farm.launch(), State.STARTING)
    wait_until(
        lambda: Instance.objects.get(pk=instance.pk).reason == "image_not_pulled",
        lambda: part(farm),
    )
    past(instance, timedelta(minutes=16))
    reach(farm, instance, State.FAILED)
    assert instance.dead_letters.get().code == "not_started"
    wait_until(lambda: not farm.pods_of(instance), lambda: part(farm))
    assert kept(instance) == []


def test_a_full_quota_waits_and_is_woken_by_the_end_of_a_pod(farm: Farm) -> None:
    first = reach(farm, farm.launch(), State.RUNNING)
    path = f"/api/v1/namespaces/{namespace_of(first)}/resourcequotas"
    tight = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "tight"},
        "spec": {"hard": {"requests.furiosa.ai/rngd": "1"}},
    }
    ask(farm, "POST", path, tight)
    wait_until(lambda: "used" in (ask(farm, "GET", f"{path}/tight").get("status") or {}))
    second = farm.launch()
    farm.work()
    second.refresh_from_db()
    assert (second.state, second.reason) == (State.QUEUED, "cluster_quota")
    assert second.next_reconcile_at is not None
    assert second.next_reconcile_at > timezone.now() + timedelta(seconds=20)
    stopping.stop_instance(instance=first, at=timezone.now())

    def only_what_is_due() -> None:
        farm.work()
        farm.watch()
        time.sleep(0.2)

    # Nothing is brought forward by the test: the end of the first pod wakes the second.
    began = time.monotonic()
    wait_until(lambda: _is(farm, second, State.RUNNING), only_what_is_due, seconds=60)
    assert time.monotonic() - began < 50
    end(farm, second)


def test_no_free_device_keeps_a_wish_and_a_pending_pod_gives_way(
    farm: Farm, plugin: Plugin | None
) -> None:
    if plugin is None:
        pytest.skip("REAL_PLUGIN is not given")
    plugin.stop()
    wait_until(lambda: devices_on(farm) == 0, farm.watch, seconds=60)
    waiting = farm.launch()
    farm.work()
    waiting.refresh_from_db()
    assert waiting.state == State.QUEUED
    assert farm.pods_of(waiting) == []
    # The inventory is made to lie, so that the scheduler has to say it.
    NodeCapacity.objects.filter(pool__resource_name="furiosa.ai/rngd").update(
        capacity=8, allocatable=8
    )
    due()
    farm.work()
    farm.until_pod(waiting, lambda pod: "Insufficient furiosa.ai/rngd" in str(pod["status"]))
    wait_until(
        lambda: "Insufficient furiosa.ai/rngd" in Instance.objects.get(pk=waiting.pk).message,
        lambda: part(farm),
    )
    assert _is(farm, waiting, State.SCHEDULING)
    NodeCapacity.objects.filter(pool__resource_name="furiosa.ai/rngd").update(capacity=8)
    past(waiting, timedelta(minutes=11))
    reach(farm, waiting, State.QUEUED)
    wait_until(lambda: not farm.pods_of(waiting), lambda: part(farm))
    plugin.start()
    reach(farm, waiting, State.RUNNING, seconds=90)
    end(farm, waiting)


def test_a_device_plugin_that_restarts_disturbs_nobody(farm: Farm, plugin: Plugin | None) -> None:
    if plugin is None:
        pytest.skip("REAL_PLUGIN is not given")
    instance = reach(farm, farm.launch(), State.RUNNING)
    uid = uid_of(farm, instance)
    plugin.stop()
    wait_until(lambda: devices_on(farm) == 0, farm.watch, seconds=60)
    part(farm)
    plugin.start()
    wait_until(lambda: devices_on(farm) == 8, farm.watch, seconds=60)
    part(farm)
    assert (_is(farm, instance, State.RUNNING), uid_of(farm, instance)) == (True, uid)
    end(farm, instance)


def test_a_device_that_falls_ill_is_said_and_kills_nothing(
    farm: Farm, plugin: Plugin | None
) -> None:
    if plugin is None:
        pytest.skip("REAL_PLUGIN is not given")
    instance = reach(farm, farm.launch(), State.RUNNING)
    wait_until(lambda: bool(ObservedPod.objects.get().devices), farm.watch, seconds=30)
    device = ObservedPod.objects.get().devices[0]["device_id"]
    uid = uid_of(farm, instance)
    plugin.make_ill(device)
    wait_until(
        lambda: Instance.objects.get(pk=instance.pk).reason == "device_unhealthy",
        lambda: part(farm),
        seconds=90,
    )
    instance.refresh_from_db()
    assert (instance.state, instance.message) == (State.RUNNING, device)
    assert uid_of(farm, instance) == uid
    plugin.make_ill()
    wait_until(
        lambda: Instance.objects.get(pk=instance.pk).reason == "container_started",
        lambda: part(farm),
        seconds=90,
    )
    end(farm, instance)


def test_a_kubelet_that_stops_is_waited_for(farm: Farm, disturb: Disturb) -> None:
    instance = reach(farm, farm.launch(), State.RUNNING)
    uid = uid_of(farm, instance)
    disturb("REAL_STOP_KUBELET")
    try:
        reach(farm, instance, State.UNREACHABLE, seconds=120)
    finally:
        disturb("REAL_START_KUBELET")
    reach(farm, instance, State.RUNNING, seconds=120)
    assert (instance.attempt_no, uid_of(farm, instance)) == (1, uid)
    stopping.stop_instance(instance=instance, at=timezone.now())
    farm.work()
    over = farm.until_pod(instance, is_over)
    reach(farm, instance, State.STOPPED)
    assert kept(instance) == [(*told(over), "exact")]


def test_an_api_server_that_stops_for_a_minute_loses_nothing(farm: Farm, disturb: Disturb) -> None:
    instance = reach(farm, farm.launch(), State.RUNNING)
    uid = uid_of(farm, instance)
    wished = farm.launch()
    disturb("REAL_STOP_API")
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            due()
            farm.work()
            time.sleep(1)
        wished.refresh_from_db()
        instance.refresh_from_db()
        assert (wished.failures, instance.state) == (0, State.RUNNING)
    finally:
        disturb("REAL_START_API")
    wait_until(lambda: _answers(farm), lambda: time.sleep(1), seconds=60)
    reach(farm, wished, State.RUNNING, seconds=120)
    reach(farm, instance, State.RUNNING, seconds=60)
    assert (instance.attempt_no, uid_of(farm, instance)) == (1, uid)
    assert wished.attempt_no == 1
    end(farm, wished)
    end(farm, instance)


def _answers(farm: Farm) -> bool:
    try:
        farm.watch()
    except Exception:  # noqa: BLE001 - it is coming back; how it fails meanwhile does not matter
        return False
    return True


def test_a_namespace_deleted_while_nobody_watches_is_settled_and_made_anew(farm: Farm) -> None:
    instance = reach(farm, farm.launch(), State.RUNNING)
    time.sleep(2)
    ask(farm, "DELETE", f"/api/v1/namespaces/{namespace_of(instance)}")
    over = farm.until_pod(instance, is_over)
    assert over["metadata"]["finalizers"], "the pod is held until somebody comes"

    def look() -> None:
        part(farm)
        lingering.follow_namespaces(at=timezone.now())

    wait_until(
        lambda: _is(farm, instance, State.RUNNING) and instance.attempt_no > 1, look, seconds=90
    )
    assert kept(instance)[0] == (*told(over), "exact")
    end(farm, instance)


def test_two_installations_on_one_cluster_leave_each_other_alone(farm: Farm) -> None:
    instance = reach(farm, farm.launch(), State.RUNNING)
    ours = installation.current()
    theirs = Marks(key=f"x{uuid4().hex[:7]}", domain=ours.domain)
    namespace = theirs.namespace(1)
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    ask(farm, "POST", "/api/v1/namespaces", made)
    spec = factory.pod_spec(
        marks=theirs, namespace=namespace, image=IMAGE, cpu_millicores=10, memory_mib=16,
        storage_gib=1, command=("sleep", "600"),
    )  # fmt: skip
    path = f"/api/v1/namespaces/{namespace}"
    account = {"metadata": {"name": manifests.pod_for(spec)["spec"]["serviceAccountName"]}}
    ask(farm, "POST", f"{path}/serviceaccounts", account)
    pod = asking.create_pod(farm.cluster, manifests.pod_for(spec))
    try:
        farm.watch()
        ObservedPod.objects.update(first_seen_at=timezone.now() - timedelta(minutes=5))
        part(farm)
        assert not orphaned.orphans_of(farm.cluster).exists()
        assert orphaned.sweep_orphans(at=timezone.now()) == 0
        assert {str(seen.uid) for seen in ObservedPod.objects.all()} == {uid_of(farm, instance)}
        left = asking.get_pod(farm.cluster, namespace=namespace, name=spec.name)
        assert left["metadata"]["uid"] == pod["metadata"]["uid"]
        assert not left["metadata"].get("deletionTimestamp")
    finally:
        asking.remove_finalizer(
            farm.cluster, namespace=namespace, name=spec.name, uid=pod["metadata"]["uid"],
            finalizer=theirs.finalizer,
        )  # fmt: skip
        ask(farm, "DELETE", path)
    end(farm, instance)
