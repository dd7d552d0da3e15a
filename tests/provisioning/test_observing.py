"""What a pod says becomes seconds in the ledger, once and exactly."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction

from billing.models import QuarantinedFact, Sku, UsageInterval
from provisioning import auditing, installation, observing, podstatus, stock
from provisioning.allotting import open_attempt
from provisioning.attempts import confirm_attempt
from provisioning.models import (
    Allocation,
    Attempt,
    Cluster,
    Instance,
    NodeCapacity,
    ObservedPod,
    Pool,
    Transition,
    UsageEvidence,
)
from provisioning.states import AttemptState, Settlement
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON

END = NOON + timedelta(seconds=90)
AT = NOON + timedelta(minutes=10)


@pytest.fixture
def attempt(instance: Instance) -> Attempt:
    return make_attempt(instance)


def make_attempt(instance: Instance) -> Attempt:
    """The instance's pod has just been created."""
    attempt = open_attempt(instance=instance, marks=installation.current(), at=NOON)
    confirm_attempt(attempt=attempt, uid=uuid4(), at=NOON)
    return Attempt.objects.select_related("instance", "cluster", "pool__family__vendor").get(
        pk=attempt.pk
    )


def observe(attempt: Attempt, *, at: Any = AT, **words: Any) -> ObservedPod:
    raw = factory.raw_pod(attempt, **words)
    observation = podstatus.read_pod(raw, marks=installation.current())
    observing.observe_pod(cluster=attempt.cluster, observation=observation, at=at)
    return ObservedPod.objects.get(uid=observation.uid)


def ended(**words: Any) -> dict[str, Any]:
    return factory.terminated(NOON, END, code=137, reason="Error", **words)


def test_a_running_container_opens_an_interval(attempt: Attempt) -> None:
    pod = observe(attempt, state=factory.running(), devices=["npu3"])
    interval = UsageInterval.objects.get()
    assert (interval.started_at, interval.ended_at) == (NOON, None)
    assert interval.source == attempt.cluster_id
    assert interval.holder_uid == attempt.uid
    assert interval.run_id == "containerd://c1"
    assert interval.resource_ref == str(attempt.instance_id)
    assert interval.account == attempt.instance.account
    assert (interval.sku.code, interval.quantity) == ("furiosa-rngd", 1)
    assert pod.settlement == Settlement.OPEN
    # No list has shown it yet, so nothing vouches for a second of it.
    assert interval.witness is None


def test_the_end_is_the_containers_own(attempt: Attempt) -> None:
    observe(attempt, state=factory.running())
    pod = observe(attempt, phase="Failed", state=ended())
    interval = UsageInterval.objects.get()
    assert (interval.ended_at, interval.end_quality) == (END, "exact")
    assert pod.settlement == Settlement.CLOSED


def test_a_run_first_seen_when_it_is_over_is_exact(attempt: Attempt) -> None:
    observe(attempt, phase="Failed", state=ended(), deleting=True)
    interval = UsageInterval.objects.get()
    assert (interval.started_at, interval.ended_at, interval.end_quality) == (NOON, END, "exact")


def test_a_pod_that_never_ran_costs_nothing(attempt: Attempt) -> None:
    observe(attempt, phase="Pending", state=factory.waiting("ContainerCreating"), container_id="")
    pod = observe(attempt, phase="Failed", reason="UnexpectedAdmissionError", message="no device")
    assert not UsageInterval.objects.exists()
    assert pod.settlement == Settlement.NEVER_RAN


def test_a_container_that_could_not_start_costs_nothing(attempt: Attempt) -> None:
    failed = {
        "terminated": {
            "exitCode": 128,
            "reason": "StartError",
            "startedAt": "1970-01-01T00:00:00Z",
            "finishedAt": factory.instant(END),
        }
    }
    pod = observe(attempt, phase="Failed", state=failed)
    assert not UsageInterval.objects.exists()
    assert pod.settlement == Settlement.NEVER_RAN


@pytest.mark.parametrize("name", ["copy-1", None])
def test_a_copy_of_a_pod_is_nobodys_use(attempt: Attempt, name: str | None) -> None:
    observe(attempt, state=factory.running(), devices=["npu3"])
    uid, raw = uuid4(), factory.raw_pod(attempt, state=factory.running(), devices=["npu4"])
    # One made by hand has every label, and may even take the name of one that has gone.
    raw["metadata"] |= {"uid": str(uid), "name": name or attempt.pod_name}
    observation = podstatus.read_pod(raw, marks=installation.current())
    observing.observe_pod(cluster=attempt.cluster, observation=observation, at=AT)
    assert UsageInterval.objects.get().holder_uid == attempt.uid
    assert Allocation.objects.get().device_id == "npu3"
    aside = QuarantinedFact.objects.get(fact__holder_uid=str(uid))
    assert aside.account is None


def test_a_pod_whose_label_was_changed_by_hand_is_still_its_instances(attempt: Attempt) -> None:
    raw = factory.raw_pod(attempt, state=factory.running())
    labels = raw["metadata"]["labels"]
    key = next(key for key, value in labels.items() if value == str(attempt.instance_id))
    labels[key] = str(factory.launch().pk)
    observation = podstatus.read_pod(raw, marks=installation.current())
    observing.observe_pod(cluster=attempt.cluster, observation=observation, at=AT)
    assert UsageInterval.objects.get().resource_ref == str(attempt.instance_id)
    assert not QuarantinedFact.objects.exists()


def test_an_end_the_runtime_lost_is_bounded_by_what_was_proved(attempt: Attempt) -> None:
    observe(attempt, state=factory.running())
    lost = factory.terminated(None, None, code=137, reason="ContainerStatusUnknown")
    pod = observe(attempt, phase="Failed", state=lost, container_id="")
    interval = UsageInterval.objects.get()
    assert (interval.ended_at, interval.end_quality) == (NOON, "bounded")
    assert interval.gap_seconds == 600
    assert pod.settlement == Settlement.CLOSED
    assert auditing.audit_usage() == []


def test_a_run_given_up_that_is_told_again_is_no_contradiction(attempt: Attempt) -> None:
    observe(attempt, state=factory.running())
    lost = factory.terminated(None, None, code=137, reason="ContainerStatusUnknown")
    for deleting in (False, True):
        pod = observe(attempt, phase="Failed", state=lost, container_id="", deleting=deleting)
    assert pod.settlement == Settlement.CLOSED
    assert UsageInterval.objects.get().end_quality == "bounded"
    assert not QuarantinedFact.objects.exists()


def test_a_pod_torn_away_ends_where_it_was_last_proved(attempt: Attempt) -> None:
    pod = observe(attempt, state=factory.running(), devices=["npu0"])
    observing.miss_pod(pod=pod, at=AT)
    interval = UsageInterval.objects.get()
    assert (interval.ended_at, interval.end_quality, interval.end_reason) == (
        NOON,
        "bounded",
        "pod_vanished",
    )
    assert Allocation.objects.get().ended_at == NOON
    assert auditing.audit_usage() == []


def test_seeing_the_same_again_writes_nothing(
    attempt: Attempt, django_assert_num_queries: Any
) -> None:
    raw = factory.raw_pod(attempt, state=factory.running())
    observation = podstatus.read_pod(raw, marks=installation.current())
    observing.observe_pod(cluster=attempt.cluster, observation=observation, at=AT)
    before = Instance.objects.get().observation_seq
    with django_assert_num_queries(1):
        is_new = observing.observe_pod(cluster=attempt.cluster, observation=observation, at=AT)
    assert not is_new
    assert Instance.objects.get().observation_seq == before


def test_a_new_version_that_says_nothing_new_wakes_nobody(attempt: Attempt) -> None:
    observe(attempt, state=factory.running())
    Instance.objects.update(next_reconcile_at=None)
    observe(attempt, state=factory.running())
    assert Instance.objects.get().next_reconcile_at is None
    assert UsageEvidence.objects.count() == 1


def test_what_is_new_wakes_the_instance(attempt: Attempt) -> None:
    Instance.objects.update(next_reconcile_at=None)
    seq = Instance.objects.get().observation_seq
    observe(attempt, state=factory.running())
    instance = Instance.objects.get()
    assert (instance.next_reconcile_at, instance.observation_seq) == (AT, seq + 1)


def test_devices_are_held_as_long_as_the_run(attempt: Attempt) -> None:
    observe(attempt, state=factory.running(), devices=["npu0", "npu1"])
    observe(attempt, phase="Failed", state=ended())
    allocations = Allocation.objects.order_by("device_id")
    assert [(a.device_id, a.started_at, a.ended_at) for a in allocations] == [
        ("npu0", NOON, END),
        ("npu1", NOON, END),
    ]
    assert {a.node_name for a in allocations} == {"node-1"}


def test_device_ids_are_told_once_and_not_taken_back(attempt: Attempt) -> None:
    observe(attempt, state=factory.running(), devices=["npu0"])
    pod = observe(attempt, state=factory.running(), devices=[], conditions=[{"type": "X"}])
    assert [device["device_id"] for device in pod.devices] == ["npu0"]
    assert Allocation.objects.get().device_id == "npu0"


def test_a_device_that_shows_up_under_a_new_run_has_left_the_old_one(
    cluster: Cluster, attempt: Attempt
) -> None:
    observe(attempt, state=factory.running(), devices=["npu0"])
    second = make_attempt(factory.launch())
    observe(second, state=factory.running(NOON + timedelta(minutes=5)), devices=["npu0"])
    first = UsageInterval.objects.get(holder_uid=attempt.uid)
    assert (first.ended_at, first.end_quality, first.end_reason) == (
        NOON,
        "bounded",
        "device_reassigned",
    )
    assert not QuarantinedFact.objects.exists()
    assert auditing.audit_usage() == []
    # Its own exact end, should it still be told, is better.
    observe(attempt, phase="Failed", state=ended())
    first.refresh_from_db()
    assert (first.ended_at, first.end_quality) == (END, "exact")
    assert Allocation.objects.get(interval=first).ended_at == END
    assert auditing.audit_usage() == []


def test_two_runs_on_one_device_at_one_time_are_put_aside(attempt: Attempt) -> None:
    observe(attempt, phase="Failed", state=ended(), devices=["npu0"])
    second = make_attempt(factory.launch())
    overlap = factory.terminated(NOON + timedelta(seconds=10), END)
    pod = observe(second, phase="Failed", state=overlap, devices=["npu0"])
    fact = QuarantinedFact.objects.get()
    assert fact.code == "overlap"
    assert fact.account == second.instance.account
    assert pod.settlement == Settlement.CLOSED
    assert Allocation.objects.count() == 1


def test_the_same_id_on_another_node_is_another_device(cluster: Cluster, attempt: Attempt) -> None:
    factory.add_nodes(cluster, factory.raw_node(), factory.raw_node(name="node-2"))
    observe(attempt, state=factory.running(), devices=["npu0"])
    second = make_attempt(factory.launch())
    observe(second, state=factory.running(), devices=["npu0"], node="node-2")
    assert Allocation.objects.filter(ended_at=None).count() == 2


def test_a_fact_the_ledger_cannot_take_stops_nobody(attempt: Attempt) -> None:
    Instance.objects.update(sku_code="no-such-sku")
    pod = observe(attempt, state=factory.running())
    assert pod.settlement == Settlement.OPEN
    pod = observe(attempt, phase="Failed", state=ended())
    assert pod.settlement == Settlement.CLOSED
    assert set(QuarantinedFact.objects.values_list("code", flat=True)) == {"unknown_sku"}
    assert auditing.audit_usage() == []


def test_an_end_before_the_start_is_put_aside_and_the_run_ends_where_proved(
    attempt: Attempt,
) -> None:
    observe(attempt, state=factory.running())
    before = factory.terminated(NOON, NOON - timedelta(seconds=5))
    pod = observe(attempt, phase="Failed", state=before)
    interval = UsageInterval.objects.get()
    assert (interval.ended_at, interval.end_quality) == (NOON, "bounded")
    assert QuarantinedFact.objects.get().code == "end_before_start"
    assert pod.settlement == Settlement.CLOSED


def test_a_pod_of_no_known_instance_is_put_aside_with_its_seconds(attempt: Attempt) -> None:
    raw = factory.raw_pod(attempt, phase="Failed", state=ended(), uid=uuid4())
    marks = installation.current()
    raw["metadata"]["labels"][marks.label("instance")] = str(uuid4())
    observation = podstatus.read_pod(raw, marks=marks)
    observing.observe_pod(cluster=attempt.cluster, observation=observation, at=AT)
    fact = QuarantinedFact.objects.get()
    assert fact.account is None
    assert (fact.period_from, fact.period_until) == (NOON, END)
    assert not UsageInterval.objects.exists()


def test_a_pod_that_comes_back_was_not_gone(attempt: Attempt) -> None:
    pod = observe(attempt, state=factory.running())
    observing.miss_pod(pod=pod, at=AT)
    pod = observe(attempt, state=factory.running())
    assert pod.gone_at is None
    assert QuarantinedFact.objects.get().code == "seen_after_close"
    observe(attempt, phase="Failed", state=ended())
    interval = UsageInterval.objects.get()
    assert (interval.ended_at, interval.end_quality) == (END, "exact")
    assert QuarantinedFact.objects.get().resolved_at is not None


def test_evidence_and_transitions_only_grow(attempt: Attempt) -> None:
    observe(attempt, state=factory.running())
    for rows in (UsageEvidence.objects, Transition.objects):
        assert rows.exists()
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.all().delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        UsageEvidence.objects.update(kind="ended")


def test_the_audit_finds_a_ledger_that_was_tampered_with(attempt: Attempt) -> None:
    observe(attempt, state=factory.running())
    observe(attempt, phase="Failed", state=ended())
    assert auditing.audit_usage() == []
    UsageEvidence.objects.create(
        cluster=attempt.cluster,
        pod_uid=uuid4(),
        container_id="containerd://c9",
        kind="started",
        said={"started_at": factory.instant(NOON)},
        observed_at=AT,
    )
    UsageInterval.objects.create(
        source=attempt.cluster_id,
        holder_uid=uuid4(),
        run_id="containerd://c8",
        meter="device_time",
        resource_ref="nobody",
        account=attempt.instance.account,
        project_id=1,
        sku=Sku.objects.get(code="furiosa-rngd"),
        quantity=1,
        started_at=NOON,
        opened_at=NOON,
    )
    assert {finding.code for finding in auditing.audit_usage()} == {
        "not_in_ledger",
        "no_evidence",
    }


def test_a_pool_whose_clusters_do_not_tell_devices_meters_all_the_same(attempt: Attempt) -> None:
    Pool.objects.update(device_ids="none")
    observe(attempt, state=factory.running())
    assert UsageInterval.objects.count() == 1
    assert not Allocation.objects.exists()


def test_a_finished_pod_holds_no_devices(attempt: Attempt) -> None:
    pool = Pool.objects.get()
    observe(attempt, state=factory.running())
    assert stock.holding([pool]).count() == 1
    observe(attempt, phase="Failed", state=ended())
    assert not stock.holding([pool]).exists()
    assert Attempt.objects.get().state == AttemptState.CREATED


@pytest.mark.parametrize("allocation", ["device_plugin", "dra"])
def test_devices_offered_by_another_name_are_not_sold_twice(
    attempt: Attempt, allocation: str
) -> None:
    observe(attempt, state=factory.running(), devices=["npu3"])
    old = Pool.objects.get()
    new = Pool.objects.create(
        cluster=old.cluster, family=old.family, resource_name="npu.new", allocation=allocation
    )
    NodeCapacity.objects.update(pool=new)
    shelves, promised = stock.shelves_of([old, new])
    assert {key: shelf.free for key, shelf in shelves.items()} == {(new.pk, "node-1"): 7}
    assert not promised
