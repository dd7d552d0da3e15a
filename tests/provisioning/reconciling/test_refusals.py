"""Passes whose cluster refuses, is somebody else's, or says nothing at all."""

from datetime import timedelta

from provisioning.models import Cluster, ClusterState, DeadLetter, Instance, TenantNamespace
from provisioning.states import AttemptState, State
from tests.factories.provisioning import NOON
from tests.provisioning.agreeing import UID, Api
from tests.provisioning.reconciling.passing import drain, due
from tests.provisioning.test_asking_clusters import PSA, QUOTA, RBAC, failure


def test_a_strangers_pod_of_our_name_is_left_alone(instance: Instance, api: Api) -> None:
    stranger = {"metadata": {"name": "x", "namespace": "n", "uid": UID, "resourceVersion": "1"}}
    api.on_post = lambda asked: (409, failure(409, "AlreadyExists", "already"), {})
    api.on_get = lambda asked: (200, stranger, {})
    drain()
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == (State.FAILED, "name_taken")
    assert DeadLetter.objects.get(instance=instance).code == "name_taken"
    assert api.count("DELETE") == 0


def test_a_full_quota_waits_in_the_queue(instance: Instance, api: Api) -> None:
    api.on_post = lambda asked: (403, failure(403, "Forbidden", QUOTA), {})
    drain()
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == (State.QUEUED, "cluster_quota")
    assert instance.next_reconcile_at is not None
    assert instance.next_reconcile_at >= NOON + timedelta(seconds=30)
    assert instance.attempts.get().state == AttemptState.GONE
    assert not DeadLetter.objects.exists()
    api.on_post = lambda asked: (201, {"metadata": {"uid": UID}}, {})
    due(instance)
    drain()
    instance.refresh_from_db()
    assert (instance.state, instance.attempt_no) == (State.SCHEDULING, 2)


def test_a_forbidden_pod_fails_for_good(instance: Instance, api: Api) -> None:
    api.on_post = lambda asked: (403, failure(403, "Forbidden", PSA), {})
    drain()
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == (State.FAILED, "admission_refused")
    assert "allowPrivilegeEscalation" in instance.message
    assert instance.settled_launch_no == instance.launch_no
    posted = api.count("POST")
    due(instance)
    drain()
    assert api.count("POST") == posted


def test_an_identity_that_may_not_create_pauses_the_cluster(
    instance: Instance, cluster: Cluster, api: Api
) -> None:
    api.on_post = lambda asked: (403, failure(403, "Forbidden", RBAC), {})
    drain()
    instance.refresh_from_db()
    cluster.refresh_from_db()
    assert cluster.state == ClusterState.PAUSED
    assert instance.state == State.QUEUED
    assert instance.reason == "no_pool"
    assert cluster.alarms.get().code == "cluster_denied"
    assert not DeadLetter.objects.exists()


def test_a_namespace_deleted_by_hand_is_made_again(instance: Instance, api: Api) -> None:
    refusals = iter([(404, failure(404, "NotFound", "no", kind="namespaces"), {})])
    api.on_post = lambda asked: next(refusals, (201, {"metadata": {"uid": UID}}, {}))
    drain()
    assert not TenantNamespace.objects.exists()
    due(instance)
    drain(NOON + timedelta(seconds=5))
    instance.refresh_from_db()
    assert instance.state == State.SCHEDULING
    # Seven objects twice, and the mark of how far we have counted.
    assert api.count("PATCH") == 15


def test_a_cluster_that_is_down_is_left_alone_after_five_calls(
    instance: Instance, cluster: Cluster, api: Api
) -> None:
    api.on_apply = lambda asked: (503, failure(503, "", "down"), {})
    for _ in range(8):
        due(instance)
        drain()
    cluster.refresh_from_db()
    instance.refresh_from_db()
    assert cluster.breaker_until == NOON + timedelta(seconds=15)
    assert api.count("PATCH") == 5
    assert (instance.state, instance.failures) == (State.PROVISIONING, 0)
    # One tries when the time has come, and its answer opens the way for all.
    api.on_apply = lambda asked: (200, {}, {})
    drain(NOON + timedelta(seconds=16))
    cluster.refresh_from_db()
    instance.refresh_from_db()
    assert cluster.breaker_until is None
    assert instance.state == State.SCHEDULING


def test_a_cluster_that_is_down_gets_nothing_new(instance: Instance, cluster: Cluster) -> None:
    Cluster.objects.update(breaker_until=NOON + timedelta(seconds=10))
    drain()
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == (State.QUEUED, "no_pool")
