"""Passes over an instance while its cluster answers, refuses, or says nothing at all."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import connection

from provisioning import (
    attempts,
    carrying,
    installation,
    leasing,
    manifests,
    reconciling,
    recording,
    situations,
    stopping,
    sweeping,
)
from provisioning.events import instance_state_changed
from provisioning.models import (
    Attempt,
    Cluster,
    ClusterState,
    DeadLetter,
    Instance,
    Node,
    TenantNamespace,
    Transition,
)
from provisioning.states import AttemptState, State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.canned import Answer, Asked, Canned, serve
from tests.provisioning.test_asking_clusters import PSA, QUOTA, RBAC, failure

UID = "22222222-2222-4222-8222-222222222222"
Posted = Callable[[Asked], Answer | None]


class Api:
    """An API server that accepts everything, unless a test says otherwise."""

    def __init__(self, canned: Canned) -> None:
        self.canned = canned
        self.on_post: Posted = lambda asked: (201, {"metadata": {"uid": UID}}, {})
        self.on_get: Posted = lambda asked: (404, failure(404, "NotFound", "no", kind="pods"), {})
        self.on_apply: Posted = lambda asked: (200, {}, {})
        canned.answer = self._answer

    def _answer(self, asked: Asked) -> Answer | None:
        by_method = {"POST": self.on_post, "GET": self.on_get, "PATCH": self.on_apply}
        return by_method.get(asked.method, lambda asked: (200, {}, {}))(asked)

    def count(self, method: str) -> int:
        return sum(asked.method == method for asked in self.canned.asked)


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as canned:
        yield Api(canned)


@pytest.fixture
def cluster(api: Api, on_offer: None) -> Cluster:
    cluster = factory.add_cluster(server=api.canned.url)
    factory.add_nodes(cluster)
    return cluster


def drain(at: datetime = NOON) -> int:
    return reconciling.drain_due(clock=lambda: at)


def due(instance: Instance) -> Instance:
    """The instance as it is now, and due again."""
    Instance.objects.filter(pk=instance.pk).update(next_reconcile_at=NOON)
    instance.refresh_from_db()
    return instance


def test_a_wish_becomes_a_pod(instance: Instance, api: Api) -> None:
    drain()
    instance.refresh_from_db()
    attempt = instance.attempts.get()
    assert instance.state == State.SCHEDULING
    assert (attempt.state, str(attempt.uid)) == (AttemptState.CREATED, UID)
    assert attempt.pod_name == f"{instance.pk}-a1"
    posted = next(asked for asked in api.canned.asked if asked.method == "POST")
    assert posted.body["spec"]["containers"][0]["resources"]["limits"]["furiosa.ai/rngd"] == "1"
    assert [t.to_state for t in instance.transitions.all()] == [
        "queued",
        "provisioning",
        "scheduling",
    ]
    # Seen by nobody yet: it looks again by itself, but not at once.
    assert instance.next_reconcile_at is not None
    assert instance.next_reconcile_at > NOON
    assert instance.lease_token is None


def test_a_long_queue_moves_up_as_soon_as_there_is_room(cluster: Cluster, api: Api) -> None:
    """More wait than are woken by whoever brings the room: those who are placed wake the rest."""
    account = factory.open_account()
    Node.objects.update(is_ready=False)
    for _ in range(30):
        factory.launch(account=account)
    drain()
    assert not Attempt.objects.exists()
    factory.add_nodes(cluster, *(factory.raw_node(name=f"big-{n}") for n in range(5)))
    uids = (str(uuid4()) for _ in range(100))
    api.on_post = lambda asked: (201, {"metadata": {"uid": next(uids)}}, {})
    drain(NOON + timedelta(seconds=1))
    assert Attempt.objects.filter(state=AttemptState.CREATED).count() == 30


def test_a_namespace_is_applied_once(instance: Instance, api: Api) -> None:
    drain()
    applied = api.count("PATCH")
    # The tenant's objects, and the farm's own namespace once.
    assert applied == 7 + 1
    factory.launch(account=instance.account)
    drain()
    assert api.count("PATCH") == applied
    assert api.count("POST") == 2


def test_a_stop_that_arrives_during_a_pass_is_acted_on_at_once(
    instance: Instance, api: Api
) -> None:
    """The create is under way when the wish changes: the pass must not sleep over it."""
    original = carrying.carry_out

    def interrupted(effect: Any, of: Any) -> Any:
        outcome = original(effect, of)
        if type(effect).__name__ == "CreatePod":
            stopping.stop_instance(instance=Instance.objects.get(pk=instance.pk), at=NOON)
        return outcome

    with patch.object(carrying, "carry_out", interrupted):
        drain()
    instance.refresh_from_db()
    # The same drain has already gone on to the stop.
    assert instance.state == State.STOPPING
    assert api.count("DELETE") == 1


def test_an_observation_during_a_pass_is_not_slept_over(instance: Instance, api: Api) -> None:
    claim = leasing.claim_due(at=NOON)
    assert claim is not None
    Instance.objects.filter(pk=instance.pk).update(observation_seq=7, next_reconcile_at=NOON)
    recording.hand_back(claim, at=NOON, again=timedelta(hours=1))
    instance.refresh_from_db()
    assert instance.next_reconcile_at == NOON


def test_an_unheard_create_is_looked_up_and_adopted(instance: Instance, api: Api) -> None:
    api.on_post = lambda asked: None
    drain()
    instance.refresh_from_db()
    assert instance.state == State.PROVISIONING
    assert instance.failures == 0
    created = api.canned.asked[-1].body
    api.on_post = lambda asked: (409, failure(409, "AlreadyExists", "already"), {})
    api.on_get = lambda asked: (200, _as_stored(created), {})
    due(instance)
    drain()
    instance.refresh_from_db()
    assert instance.state == State.SCHEDULING
    assert str(instance.attempts.get().uid) == UID


def test_an_attempt_whose_pod_would_be_written_otherwise_now_is_begun_anew(
    instance: Instance, api: Api
) -> None:
    """As after an upgrade while the cluster was away: that pod would be nobody's, and billed."""
    api.on_post = lambda asked: None
    drain()
    instance.attempts.update(spec_hash="of-another-release")
    api.on_post = lambda asked: (201, {"metadata": {"uid": UID}}, {})
    due(instance)
    drain()
    first, second = instance.attempts.order_by("no")
    assert (first.state, second.state) == (AttemptState.GONE, AttemptState.CREATED)
    posted = [asked.body for asked in api.canned.asked if asked.method == "POST"]
    assert posted[-1]["metadata"]["name"] == second.pod_name


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


def test_a_full_farm_says_how_full(cluster: Cluster, api: Api) -> None:
    account = factory.open_account()
    large = factory.launch(account=account, instance_type="rngd-8")
    small = factory.launch(account=account, at=NOON + timedelta(seconds=1))
    drain(NOON + timedelta(seconds=1))
    small.refresh_from_db()
    large.refresh_from_db()
    assert large.state == State.SCHEDULING
    assert (small.state, small.reason) == (State.QUEUED, "no_capacity")
    assert small.message == "0 healthy devices are free, 1 on one node are needed."


@pytest.mark.django_db(transaction=True)
def test_two_workers_do_not_place_on_one_device(api: Api) -> None:
    factory.load_catalog()
    factory.add_nodes(factory.add_cluster(server=api.canned.url))
    account = factory.open_account()
    for _ in range(6):
        factory.launch(account=account, instance_type="rngd-4")

    def work() -> None:
        try:
            drain()
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert Attempt.objects.exclude(state=AttemptState.GONE).count() == 2
    states = sorted(Instance.objects.values_list("state", flat=True))
    assert states == ["queued"] * 4 + ["scheduling"] * 2


def test_projects_take_turns(cluster: Cluster, api: Api) -> None:
    account = factory.open_account()
    holder = factory.launch(account=account, instance_type="rngd-8")
    drain()
    eager = [
        factory.launch(
            account=account, project_id=1, instance_type="rngd-4", at=NOON + timedelta(seconds=n)
        )
        for n in range(3)
    ]
    modest = factory.launch(
        account=account, project_id=2, instance_type="rngd-4", at=NOON + timedelta(seconds=9)
    )
    Attempt.objects.filter(instance=holder).update(state=AttemptState.GONE)
    Instance.objects.filter(state=State.QUEUED).update(next_reconcile_at=NOON)
    drain(NOON + timedelta(seconds=10))
    states = {
        i.pk: i.state for i in Instance.objects.filter(pk__in=[e.pk for e in [*eager, modest]])
    }
    assert [states[e.pk] for e in eager] == [State.SCHEDULING, State.QUEUED, State.QUEUED]
    assert states[modest.pk] == State.SCHEDULING


def test_a_trouble_with_one_instance_does_not_hold_up_the_others(
    cluster: Cluster, api: Api
) -> None:
    account = factory.open_account()
    poison, healthy = (factory.launch(account=account) for _ in range(2))
    original = situations.gather

    def gather(claim: Any, *, at: datetime) -> Any:
        if claim.instance.pk == poison.pk:
            raise ValueError("a bug")
        return original(claim, at=at)

    with patch.object(situations, "gather", gather):
        drain()
    healthy.refresh_from_db()
    poison.refresh_from_db()
    assert healthy.state == State.SCHEDULING
    assert poison.lease_token is None
    assert poison.next_reconcile_at == NOON + timedelta(seconds=30)


def test_a_trouble_after_the_lease_is_lost_does_not_hold_up_the_others(
    cluster: Cluster, api: Api
) -> None:
    account = factory.open_account()
    poison, healthy = (factory.launch(account=account) for _ in range(2))
    original = situations.gather

    def gather(claim: Any, *, at: datetime) -> Any:
        if claim.instance.pk == poison.pk:
            Instance.objects.filter(pk=poison.pk).update(lease_token=uuid4())
            raise ValueError("a bug")
        return original(claim, at=at)

    with patch.object(situations, "gather", gather):
        drain()
    healthy.refresh_from_db()
    assert healthy.state == State.SCHEDULING


def test_a_pass_that_outlives_its_lease_records_nothing(instance: Instance, api: Api) -> None:
    claim = leasing.claim_due(at=NOON)
    assert claim is not None
    Instance.objects.filter(pk=instance.pk).update(lease_token=uuid4())
    reconciling.reconcile(claim, at=NOON)
    instance.refresh_from_db()
    assert instance.state == State.QUEUED
    assert not Attempt.objects.exists()
    assert Transition.objects.count() == 1


def test_a_claimed_instance_is_nobody_elses_until_the_lease_runs_out(instance: Instance) -> None:
    assert leasing.claim_due(at=NOON) is not None
    assert leasing.claim_due(at=NOON) is None
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE provisioning_instance SET lease_until = statement_timestamp() - interval '1s'"
        )
    assert leasing.claim_due(at=NOON) is not None


def test_nothing_is_claimed_before_it_is_due(instance: Instance) -> None:
    assert leasing.claim_due(at=NOON - timedelta(seconds=1)) is None


def test_a_create_is_not_begun_on_a_lease_about_to_run_out(instance: Instance, api: Api) -> None:
    claim = leasing.claim_due(at=NOON)
    assert claim is not None
    spent = leasing.Claim(claim.instance, claim.token, runs_out_at=0)
    attempts.open_attempt(instance=instance, marks=installation.current(), at=NOON)
    Instance.objects.filter(pk=instance.pk).update(state=State.PROVISIONING, attempt_no=1)
    claim.instance.refresh_from_db()
    reconciling.reconcile(spent, at=NOON)
    assert not api.canned.asked


def test_the_sweep_finds_what_no_hint_told_of(instance: Instance, api: Api) -> None:
    sweeping.sweep(clock=lambda: NOON)
    instance.refresh_from_db()
    assert instance.state == State.SCHEDULING


def test_the_sweep_stops_what_has_had_its_time(cluster: Cluster, api: Api) -> None:
    instance = factory.launch(ends_at=NOON + timedelta(hours=1))
    sweeping.sweep(clock=lambda: NOON)
    instance.refresh_from_db()
    assert instance.desired == "running"
    sweeping.sweep(clock=lambda: NOON + timedelta(hours=1))
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == (State.STOPPING, "lease_ended")


def test_a_change_of_state_is_told_after_it_is_written(
    instance: Instance, api: Api, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[tuple[str, str]] = []

    def listen(sender: object, *, from_state: str, to_state: str, **rest: Any) -> None:
        heard.append((from_state, to_state))

    instance_state_changed.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            drain()
            assert heard == []
    finally:
        instance_state_changed.disconnect(listen)
    assert heard == [("queued", "provisioning"), ("provisioning", "scheduling")]


def _as_stored(posted: dict[str, Any]) -> dict[str, Any]:
    metadata = posted["metadata"] | {"uid": UID, "resourceVersion": "1"}
    return {**posted, "metadata": metadata, "status": {"phase": "Pending"}}


def test_the_hash_of_an_attempt_is_the_hash_of_its_pod(instance: Instance, api: Api) -> None:
    drain()
    attempt = instance.attempts.select_related("pool__family__vendor", "instance").get()
    spec = attempts.spec_of(
        instance=attempt.instance, attempt_no=1, pool=attempt.pool, marks=installation.current()
    )
    assert attempt.spec_hash == manifests.hash_of(manifests.pod_for(spec), spec)
