"""Instances on a cluster that answers: launch, run, stop, and everything in between.

The test is worker and watcher, so it can be late, absent or interrupted where it wants.
"""

import itertools
import time
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models import Sum
from django.utils import timezone

from billing.models import QuarantinedFact, UsageInterval
from provisioning import (
    alarms,
    attempts,
    auditing,
    installation,
    manifests,
    orphaned,
    queries,
    reading,
    relisting,
    stopping,
    watching,
)
from provisioning.cluster import asking, connections, requests
from provisioning.cluster import watching as following
from provisioning.errors import NoLogsYet, NothingToRelease
from provisioning.models import (
    Attempt,
    Cluster,
    Instance,
    NodeCapacity,
    ObservedPod,
    Transition,
)
from provisioning.states import Desired, State
from tests.provisioning.farms import (
    FAILS,
    ONE_SECOND,
    Farm,
    is_over,
    kept,
    live_attempts,
    runs,
    told,
    wait_until,
)


def second() -> None:
    """Usage is counted in whole seconds."""
    time.sleep(1.1)


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


def test_what_runs_is_vouched_for_by_its_node(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    second()
    relisting.bear_witness(farm.cluster, clock=timezone.now)
    interval = UsageInterval.objects.with_watermark().get()
    assert interval.ended_at is None
    node = ObservedPod.objects.get().node_name
    lease = farm.cluster.nodes.get(name=node).lease_renewed_at
    assert lease is not None
    assert interval.watermark == max(interval.started_at, lease.replace(microsecond=0))
    wait_until(
        lambda: UsageInterval.objects.with_watermark().get().watermark > interval.watermark,
        lambda: relisting.bear_witness(farm.cluster, clock=timezone.now),
    )
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_a_light_list_vouches_for_nothing_it_has_not_recognised(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    relisting.bear_witness(farm.cluster, clock=timezone.now)
    before = UsageInterval.objects.with_watermark().get().watermark
    # A version the watch has not told of: who knows what it says.
    ObservedPod.objects.update(resource_version="1")
    second()
    relisting.bear_witness(farm.cluster, clock=timezone.now)
    assert UsageInterval.objects.with_watermark().get().watermark == before
    wait_until(lambda: UsageInterval.objects.with_watermark().get().watermark > before, farm.watch)
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_a_relist_writes_only_what_is_different(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    farm.watch()
    pod = ObservedPod.objects.get()
    seq = Instance.objects.get().observation_seq
    farm.watch()
    assert ObservedPod.objects.get().seen_at == pod.seen_at
    assert Instance.objects.get().observation_seq == seq
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_a_watch_tells_what_a_list_would(farm: Farm) -> None:
    marks = installation.current()
    version = relisting.relist(farm.cluster, clock=timezone.now)
    instance = farm.launch()
    farm.work()
    changes = following.watch_pods(
        farm.cluster, selector=marks.selector, resource_version=version, seconds=20
    )
    for change in changes:
        if change.kind is not following.ChangeKind.BOOKMARK:
            watching.take_change(farm.cluster, change, marks=marks, at=timezone.now())
        if ObservedPod.objects.filter(container_state="running").exists():
            break
    farm.work()
    instance.refresh_from_db()
    assert instance.state == State.RUNNING
    seen = ObservedPod.objects.values().get()
    assert not seen.pop("witness_ref")
    farm.watch()
    listed = ObservedPod.objects.values().get()
    # Only a list can tell which life of the node vouches for it.
    assert listed.pop("witness_ref")
    assert listed == seen
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def stray_pod(farm: Farm, like: Instance) -> str:
    """A pod of an instance that is in no table, as after a database was restored."""
    attempt = Attempt.objects.select_related("pool__family__vendor").get(instance=like)
    spec = attempts.spec_of(
        instance=like, attempt_no=1, pool=attempt.pool, marks=installation.current()
    )
    unknown = replace(spec, instance_id=uuid4(), name=f"stray-{uuid4()}")
    pod = asking.create_pod(farm.cluster, manifests.pod_for(unknown))
    return str(pod["metadata"]["uid"])


def test_a_pod_nobody_knows_is_cleared_away_once_a_person_has_named_it(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    uid = stray_pod(farm, like=instance)
    wait_until(lambda: ObservedPod.objects.filter(uid=uid, phase="Running").exists(), farm.watch)
    second()
    assert orphaned.sweep_orphans(at=timezone.now()) == 0
    ObservedPod.objects.update(first_seen_at=timezone.now() - timedelta(minutes=2))
    farm.watch()
    # One pod in two is a crowd: on a small farm nothing goes without a person.
    assert orphaned.sweep_orphans(at=timezone.now()) == 0
    assert farm.cluster.alarms.get().code == "orphans_blocked"
    with pytest.raises(NothingToRelease):
        release(farm, [str(ObservedPod.objects.exclude(uid=uid).get().uid)])
    release(farm, [uid])

    def sweep() -> None:
        farm.watch()
        orphaned.sweep_orphans(at=timezone.now())

    wait_until(lambda: ObservedPod.objects.get(uid=uid).gone_at is not None, sweep)
    assert not alarms.open_alarms().exists()
    # Its seconds belong to nobody we know; a person has to say what becomes of them.
    facts = QuarantinedFact.objects.filter(fact__holder_uid=uid)
    assert {fact.account for fact in facts} == {None}
    assert any(fact.period_until and fact.period_until > fact.period_from for fact in facts)
    assert runs(farm.pods_of(instance)[0])
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def release(farm: Farm, uids: list[str]) -> None:
    orphaned.release_orphans(
        cluster=farm.cluster, uids=uids, by="dana", reason="a copy by hand", at=timezone.now()
    )


def test_a_copy_of_a_known_pod_is_an_orphan_too(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    own = farm.pods_of(instance)[0]
    metadata = own["metadata"]
    copied = {name: metadata[name] for name in ("namespace", "labels", "annotations", "finalizers")}
    spec = {name: value for name, value in own["spec"].items() if name != "nodeName"}
    copy = {**own, "metadata": {**copied, "name": f"copy-{uuid4()}"}, "spec": spec}
    uid = asking.create_pod(farm.cluster, {**copy, "status": {}})["metadata"]["uid"]
    farm.watch()
    ObservedPod.objects.update(first_seen_at=timezone.now() - timedelta(minutes=2))
    farm.watch()
    farm.work()
    assert [str(pod.uid) for pod in orphaned.orphans_of(farm.cluster)] == [uid]
    release(farm, [uid])

    def sweep() -> None:
        farm.watch()
        orphaned.sweep_orphans(at=timezone.now())

    wait_until(lambda: ObservedPod.objects.get(uid=uid).gone_at is not None, sweep)
    assert [pod["metadata"]["uid"] for pod in farm.pods_of(instance)] == [metadata["uid"]]
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_a_crowd_of_orphans_is_left_alone(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    uids = [stray_pod(farm, like=instance) for _ in range(3)]
    farm.watch()
    ObservedPod.objects.update(first_seen_at=timezone.now() - timedelta(minutes=2))
    farm.watch()
    assert orphaned.sweep_orphans(at=timezone.now()) == 0
    farm.watch()
    assert ObservedPod.objects.filter(uid__in=uids, gone_at=None, is_deleting=False).count() == 3
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_finalizers_are_released_for_taking_the_product_off(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    with pytest.raises(CommandError, match="1 kept"):
        call_command("release_finalizers", "east")
    with pytest.raises(CommandError, match="because"):
        call_command("release_finalizers", "east", force=True)
    farm.delete_by_hand(instance)
    farm.until_pod(instance, is_over)
    farm.watch()
    said = StringIO()
    call_command("release_finalizers", "east", dry_run=True, stdout=said)
    assert "1 would be released" in said.getvalue()
    assert len(farm.pods_of(instance)) == 1
    call_command("release_finalizers", "east")
    wait_until(lambda: not farm.pods_of(instance))
    with pytest.raises(CommandError):
        call_command("release_finalizers", "no-such-cluster")


def test_what_is_let_go_unsettled_ends_as_last_proved_and_says_by_whom(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    farm.watch()
    call_command("release_finalizers", "east", force=True, because="the farm moves house")
    word = farm.cluster.alarms.get()
    assert (word.code, word.close_reason) == ("finalizers_forced", "the farm moves house")
    assert word.closed_by
    assert not farm.pods_of(instance)[0]["metadata"].get("finalizers")
    farm.delete_by_hand(instance)
    wait_until(lambda: not farm.pods_of(instance))
    farm.watch()
    ((_, ended_at, quality),) = kept(instance)
    assert ended_at is not None
    assert quality == "bounded"


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
