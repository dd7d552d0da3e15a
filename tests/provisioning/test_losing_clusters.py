"""A cluster that will not answer any more is given up once, and what comes back is nobody's."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from billing.models import QuarantinedFact, UsageInterval
from provisioning import (
    auditing,
    clusters,
    draining,
    installation,
    losing,
    observing,
    orphaned,
    podstatus,
    reconciling,
    stopping,
    usage,
)
from provisioning.errors import ClusterAnswers, ClusterInUse, IllegalClusterState, NotConfirmed
from provisioning.models import (
    Attempt,
    Cluster,
    ClusterLoss,
    Instance,
    InstanceVolume,
    Node,
    ObservedPod,
    TenantNotice,
    Transition,
    Volume,
    VolumeAttachment,
)
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning import quiet
from tests.provisioning.canned import Answer, Asked

# The watcher last heard of it a minute past noon; it is given up at one.
HEARD = NOON + timedelta(minutes=1)
PROVED = NOON + timedelta(seconds=40)
LOST = NOON + timedelta(hours=1)
WORDS = {"confirmation": "east", "reason": "The hall has burned.", "by": "erin@farm.example"}


@pytest.fixture
def running(instance: Instance) -> Attempt:
    """It runs on a cluster that was last heard of a while ago, and is proved up to an instant."""
    drain(at=NOON)
    attempt = Attempt.objects.select_related("cluster", "instance", "pool__family").get()
    uid = uuid4()
    Attempt.objects.filter(pk=attempt.pk).update(state="created", uid=uid, created_at=NOON)
    attempt.refresh_from_db()
    Instance.objects.filter(pk=instance.pk).update(state="running", reason="", state_since=NOON)
    told(attempt, state=factory.running(), devices=["npu3"])
    pod, node = ObservedPod.objects.get(), Node.objects.get()
    witness = usage.name_witness(pod=pod, instance=instance, node=node, at=HEARD)
    ObservedPod.objects.update(witness_ref=witness)
    usage.vouch_for_node(node=node, proved_until=PROVED)
    Cluster.objects.update(last_event_at=HEARD, last_list_at=HEARD)
    attempt.cluster.refresh_from_db()
    return attempt


@pytest.fixture
def west(on_offer: None) -> Cluster:
    """Another cluster, with room."""
    west = factory.add_cluster(name="west")
    factory.add_nodes(west, factory.raw_node(name="node-9"))
    return west


def drain(*, at: Any) -> None:
    Instance.objects.update(next_reconcile_at=at)
    reconciling.drain_due(clock=lambda: at)


def told(attempt: Attempt, *, at: Any = HEARD, **words: Any) -> ObservedPod:
    """The cluster says something of the attempt's pod."""
    raw = factory.raw_pod(attempt, **words)
    observation = podstatus.read_pod(raw, marks=installation.current())
    cluster = Cluster.objects.get(pk=attempt.cluster_id)
    observing.observe_pod(cluster=cluster, observation=observation, at=at)
    return ObservedPod.objects.get(uid=observation.uid)


def lose(cluster: Cluster, **words: Any) -> ClusterLoss:
    return losing.declare_lost(cluster=cluster, **{**WORDS, "at": LOST, **words})


def come_back(cluster: Cluster, *, after: timedelta = timedelta(hours=1)) -> None:
    """It has been listed again."""
    Cluster.objects.filter(pk=cluster.pk).update(last_list_at=LOST + after)
    cluster.refresh_from_db()


# --- when it may be said ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [{"confirmation": "west"}, {"confirmation": ""}, {"reason": " "}], ids=str
)
def test_it_is_said_by_name_and_with_a_reason(running: Attempt, words: dict[str, str]) -> None:
    with pytest.raises(NotConfirmed):
        lose(running.cluster, **words)
    assert not ClusterLoss.objects.exists()


def test_a_cluster_heard_of_lately_is_not_given_up(running: Attempt) -> None:
    soon = HEARD + losing.SILENT_FOR - timedelta(seconds=1)
    assert not losing.may_be_lost(running.cluster, at=soon)
    with pytest.raises(ClusterAnswers):
        lose(running.cluster, at=soon)
    assert UsageInterval.objects.get().ended_at is None


def refused(asked: Asked) -> Answer:
    return 401, {"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "no"}, {}


def overloaded(asked: Asked) -> Answer:
    return 429, {"kind": "Status", "code": 429, "reason": "TooManyRequests", "message": "no"}, {}


def in_trouble(asked: Asked) -> Answer:
    """As an API server says whose etcd is slow."""
    return 500, {"kind": "Status", "code": 500, "reason": "InternalError", "message": "slow"}, {}


@pytest.mark.parametrize(
    "answer",
    [quiet.answer, refused, overloaded, in_trouble],
    ids=["answers", "refuses", "is overloaded", "is in trouble"],
)
def test_a_cluster_that_answers_is_not_given_up(on_offer: None, api: Any, answer: Any) -> None:
    api.canned.answer = answer
    cluster = factory.add_cluster(server=api.canned.url)
    with pytest.raises(ClusterAnswers):
        lose(cluster)
    cluster.refresh_from_db()
    assert cluster.state == "active"


def test_it_is_said_once(running: Attempt) -> None:
    lose(running.cluster)
    with pytest.raises(IllegalClusterState):
        lose(Cluster.objects.get())
    assert ClusterLoss.objects.count() == 1


def test_the_command_needs_the_name_twice(running: Attempt) -> None:
    with pytest.raises(CommandError, match="own name"):
        call_command("cluster", "east", "lose", "--because", "It burned.")
    call_command("cluster", "east", "lose", "--because", "It burned.", "--confirm", "east")
    assert ClusterLoss.objects.get().reason == "It burned."


# --- what it ends -----------------------------------------------------------------------------


def test_a_run_ends_where_it_was_last_proved_and_shows_the_gap(running: Attempt) -> None:
    loss = lose(running.cluster)
    interval = UsageInterval.objects.get()
    assert (interval.ended_at, interval.end_quality) == (PROVED, "bounded")
    assert interval.end_reason == "cluster_lost"
    assert interval.gap_seconds == int((LOST - PROVED).total_seconds())
    assert (loss.instance_count, loss.run_count, loss.volume_count) == (1, 1, 0)
    assert (loss.declared_by, loss.heard_at) == (WORDS["by"], HEARD)
    attempt = Attempt.objects.get()
    assert (attempt.state, attempt.lost_at) == ("gone", LOST)
    assert Node.objects.get().gone_at == LOST
    assert auditing.audit_usage() == []


def test_an_instance_is_placed_anew_and_its_tenant_told(running: Attempt, west: Cluster) -> None:
    lose(running.cluster)
    drain(at=LOST)
    drain(at=LOST + timedelta(minutes=10))
    again = Attempt.objects.get(no=2)
    assert again.cluster == west
    reasons = Transition.objects.filter(to_state="recovering").values_list("reason", flat=True)
    assert list(reasons) == ["cluster_lost"]
    assert list(TenantNotice.objects.values_list("kind", flat=True)) == ["cluster_lost"]


def test_one_that_was_on_its_way_out_is_out(running: Attempt) -> None:
    stopping.stop_instance(instance=running.instance, at=HEARD)
    drain(at=HEARD)
    lose(running.cluster)
    drain(at=LOST)
    assert Instance.objects.get().state == "stopped"
    assert not TenantNotice.objects.exists()


def test_one_that_was_being_created_waits_again(instance: Instance, west: Cluster) -> None:
    Cluster.objects.filter(name="west").update(state="paused")
    drain(at=NOON)
    assert Instance.objects.get().state == "provisioning"
    lose(Cluster.objects.get(name="east"))
    drain(at=LOST)
    found = Instance.objects.get()
    assert found.state == "queued"
    assert "cluster_lost" in found.transitions.values_list("reason", flat=True)


@pytest.fixture
def volume(running: Attempt) -> Volume:
    """The instance that runs has a volume, and it is attached."""
    volume = Volume.objects.create(
        tenant_id=running.instance.tenant_id,
        project_id=1,
        account=running.instance.account,
        name="datasets",
        size_gib=5,
        cluster=running.cluster,
        namespace=running.namespace,
        claim_name="npu-v1",
        state="ready",
        state_since=NOON,
        created_at=NOON,
    )
    InstanceVolume.objects.create(instance=running.instance, volume=volume, path="/data")
    VolumeAttachment.objects.create(
        attempt=running, instance=running.instance, volume=volume, path="/data", attached_at=NOON
    )
    return volume


def test_a_volume_goes_with_its_cluster_and_the_instance_fails_in_words(
    running: Attempt, volume: Volume, west: Cluster
) -> None:
    assert lose(running.cluster).volume_count == 1
    drain(at=LOST)
    volume.refresh_from_db()
    assert (volume.state, volume.reason) == ("lost", "lost_with_cluster")
    assert VolumeAttachment.objects.get().detached_at == LOST
    instance = Instance.objects.get()
    assert (instance.state, instance.reason, instance.message) == (
        "failed",
        "volume_lost",
        "datasets",
    )
    kinds = TenantNotice.objects.order_by("kind").values_list("kind", flat=True)
    assert list(kinds) == ["instance_failed", "volume_lost"]


def test_started_again_it_fails_again(running: Attempt, volume: Volume, west: Cluster) -> None:
    lose(running.cluster)
    drain(at=LOST)
    instance = Instance.objects.get()
    stopping.start_instance(instance=instance, at=LOST)
    drain(at=LOST)
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == ("failed", "volume_lost")


def test_what_was_placed_at_that_moment_is_ended_by_the_next_sweep(
    running: Attempt, west: Cluster
) -> None:
    lose(running.cluster)
    late = factory.launch()
    factory.put_on(late, running.cluster)
    losing.follow_lost(at=LOST)
    assert Attempt.objects.get(instance=late).lost_at == LOST


# --- when it comes back -----------------------------------------------------------------------


def test_a_pod_that_comes_back_is_shown_and_charged_no_further(running: Attempt) -> None:
    lose(running.cluster)
    told(running, at=LOST + timedelta(minutes=30), state=factory.running(), devices=["npu3"])
    end = LOST + timedelta(minutes=40)
    ended = factory.terminated(NOON, end, code=137, reason="Error")
    told(running, at=end, phase="Failed", state=ended, devices=["npu3"])

    interval = UsageInterval.objects.get()
    assert (interval.ended_at, interval.end_quality) == (PROVED, "bounded")
    assert not QuarantinedFact.objects.exists()
    assert auditing.audit_usage() == []
    come_back(running.cluster)
    assert [pod.uid for pod in orphaned.orphans_of(running.cluster)] == [running.uid]
    # Its instance does not take it for its own.
    drain(at=end)
    assert Instance.objects.get().state in ("recovering", "queued")


def test_a_run_nobody_had_seen_is_put_aside_and_nobodys(instance: Instance) -> None:
    drain(at=NOON)
    attempt = Attempt.objects.select_related("cluster", "instance", "pool__family").get()
    lose(attempt.cluster)
    told(attempt, at=LOST, state=factory.running(), uid=uuid4())
    assert not UsageInterval.objects.exists()
    assert QuarantinedFact.objects.get().code == "unknown_sku"


def test_it_is_used_again_once_it_is_seen_to_be_empty(running: Attempt) -> None:
    lose(running.cluster)
    east = Cluster.objects.get()
    with pytest.raises(IllegalClusterState, match="heard from"):
        clusters.resume_cluster(cluster=east, at=LOST)
    told(running, at=LOST, state=factory.running())
    come_back(east)
    with pytest.raises(ClusterInUse):
        clusters.resume_cluster(cluster=east, at=LOST)
    observing.miss_pod(pod=ObservedPod.objects.get(), at=LOST)
    clusters.resume_cluster(cluster=east, at=LOST)
    assert Cluster.objects.get().state == "active"
    assert UsageInterval.objects.get().ended_at == PROVED


# --- letting it go ----------------------------------------------------------------------------


def test_a_lost_cluster_is_removed_without_being_asked(running: Attempt, volume: Volume) -> None:
    lose(running.cluster)
    draining.remove_cluster(cluster=Cluster.objects.get(), at=LOST)
    gone = Cluster.objects.get()
    assert (gone.state, bytes(gone.kubeconfig_encrypted)) == ("removed", b"")
    assert gone.losses.get().reason == WORDS["reason"]
    assert Attempt.objects.get().cluster == gone


def test_one_whose_pods_are_back_is_not_removed(running: Attempt) -> None:
    lose(running.cluster)
    told(running, at=LOST, state=factory.running())
    with pytest.raises(ClusterInUse, match="1 pods"):
        draining.remove_cluster(cluster=Cluster.objects.get(), at=LOST)


def test_what_was_said_stays_as_it_was_said(running: Attempt) -> None:
    loss = lose(running.cluster)
    with pytest.raises(IntegrityError):
        ClusterLoss.objects.filter(pk=loss.pk).update(reason="It was somebody else.")
