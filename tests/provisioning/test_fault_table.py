"""The fault table, row by row: what goes wrong, and what the product does about it.

One test per row, in the order of `docs/faults.md`.  An API server that can be told what to
answer stands in for the cluster; what a kubelet does is told as the watcher would tell it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models import F

from billing.models import QuarantinedFact, UsageInterval
from provisioning import (
    alarms,
    attempts,
    faults,
    leasing,
    lifecycle,
    lingering,
    orphaned,
    pacing,
    podstatus,
    reconciling,
    refusals,
    stopping,
    watching,
)
from provisioning.cluster import asking
from provisioning.cluster import watching as following
from provisioning.errors import ClusterUnreachable
from provisioning.models import (
    Attempt,
    Cluster,
    ClusterState,
    Instance,
    Node,
    NodeCapacity,
    ObservedPod,
    TenantNamespace,
    TenantNotice,
)
from provisioning.names import Marks
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.canned import Answer, Asked, serve
from tests.provisioning.test_asking_clusters import PSA, QUOTA, RBAC, failure
from tests.provisioning.test_reconciling import UID, Api

SECOND = timedelta(seconds=1)
CONFLICT = 'Operation cannot be fulfilled on resourcequotas "npu-tenant": it has been modified'
TERMINATING = "namespace npu is being terminated"


def refused(code: int, reason: str, message: str, **details: Any) -> Answer:
    return code, failure(code, reason, message, **details), {}


@dataclass
class Table:
    """A cluster, an instance on it, and a clock to turn."""

    api: Api
    cluster: Cluster
    instance: Instance
    now: datetime = NOON
    uids: dict[int, UUID] = field(default_factory=dict)

    def work(self, *, after: timedelta = timedelta(0)) -> Instance:
        """Let workers do what is due; everything is, as after a sweep's wait."""
        self.now += after
        Instance.objects.update(next_reconcile_at=self.now)
        while claim := leasing.claim_due(at=self.now):
            reconciling.reconcile(claim, at=self.now)
            Instance.objects.filter(next_reconcile_at__gt=self.now).update(next_reconcile_at=None)
        self.instance.refresh_from_db()
        return self.instance

    def drain(self) -> Instance:
        """Let workers do what is due now, and nothing else."""
        while claim := leasing.claim_due(at=self.now):
            reconciling.reconcile(claim, at=self.now)
        self.instance.refresh_from_db()
        return self.instance

    def answer_get(self, of: str, answer: Answer) -> None:
        """What a GET of such an object is answered; others are as they were."""
        before = self.api.on_get
        self.api.on_get = lambda asked: answer if of in asked.path else before(asked)

    def see(self, kind: str = "MODIFIED", **words: Any) -> ObservedPod:
        """The watcher is told how the latest attempt's pod is."""
        attempt = Attempt.objects.select_related("pool__family__vendor", "cluster").latest("no")
        self.uids.setdefault(attempt.no, attempt.uid or uuid4())
        raw = factory.raw_pod(attempt, uid=self.uids[attempt.no], **words)
        change = following.Change(following.ChangeKind(kind), raw)
        watching.take_change(self.cluster, change, marks=factory_marks(), at=self.now)
        return ObservedPod.objects.get(uid=raw["metadata"]["uid"])

    def runs(self) -> Instance:
        """The instance runs since now."""
        self.work()
        self.see(state=factory.running(self.now))
        return self.work()

    def ends(self, **words: Any) -> Instance:
        """The pod is over, is let go, and is gone: everything of it has been concluded."""
        self.see(phase="Failed", **words)
        instance = self.work()
        self.see(phase="Failed", deleting=True, finalizer=False, **words)
        self.see("DELETED", phase="Failed", deleting=True, finalizer=False, **words)
        return instance

    def asked(self, method: str) -> list[Asked]:
        return [asked for asked in self.api.canned.asked if asked.method == method]

    def posted(self) -> list[str]:
        return [asked.body["metadata"]["name"] for asked in self.asked("POST")]


def factory_marks() -> Marks:
    from provisioning import installation

    return installation.current()


@pytest.fixture
def api() -> Iterator[Api]:
    with serve() as canned:
        yield Api(canned)


@pytest.fixture
def table(api: Api, on_offer: None) -> Table:
    """Each pod that is created gets a UID of its own, unless a test answers otherwise."""
    api.on_post = lambda asked: (201, {"metadata": {"uid": str(uuid4())}}, {})
    cluster = factory.add_cluster(server=api.canned.url)
    nodes = [factory.raw_node(), factory.raw_node(name="node-2")]
    factory.add_nodes(
        cluster, *nodes, leases=[factory.raw_lease(), factory.raw_lease(name="node-2")]
    )
    return Table(api, cluster, factory.launch())


def dead_letters(instance: Instance) -> list[str]:
    return sorted(instance.dead_letters.filter(closed_at=None).values_list("code", flat=True))


def open_alarms() -> list[str]:
    return sorted(alarms.open_alarms().values_list("code", flat=True))


# --- the cluster does not answer ---------------------------------------------------------


def test_01_api_server_down_leaves_everything_as_it_is(table: Table) -> None:
    table.api.on_post = lambda asked: refused(503, "ServiceUnavailable", "etcd is away")
    for _ in range(8):
        instance = table.work()
    assert (instance.state, instance.failures) == (State.PROVISIONING, 0)
    assert len(table.posted()) == 5, "the breaker is open after five"
    table.cluster.refresh_from_db()
    assert table.cluster.breaker_until == table.now + timedelta(seconds=15)
    table.api.on_post = lambda asked: (201, {"metadata": {"uid": UID}}, {})
    assert table.work(after=16 * SECOND).state == State.SCHEDULING
    assert set(table.posted()) == {f"{instance.pk}-a1"}


def test_01b_five_failures_spread_over_minutes_open_no_breaker(table: Table) -> None:
    table.api.on_post = lambda asked: refused(500, "InternalError", "now and then")
    for _ in range(8):
        table.work(after=20 * SECOND)
    assert len(table.posted()) == 8


def test_02_a_silent_watch_is_given_up_and_followed_again(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SILENT_SECONDS", 0.2)
    table.runs()

    def stall(asked: Asked) -> None:
        time.sleep(0.5)

    table.api.on_get = stall
    with pytest.raises(ClusterUnreachable):
        list(following.watch_pods(table.cluster, selector="", resource_version="1", seconds=60))
    assert table.work().state == State.RUNNING


# --- the outcome of a create is unknown --------------------------------------------------


def test_03_worker_killed_before_the_post_posts_the_same_name(table: Table) -> None:
    table.api.on_post = lambda asked: refused(500, "", "as if nobody had asked")
    table.work()
    table.api.on_post = lambda asked: (201, {"metadata": {"uid": UID}}, {})
    assert table.work().state == State.SCHEDULING
    assert set(table.posted()) == {f"{table.instance.pk}-a1"}


def test_04_worker_killed_after_the_post_adopts_what_it_made(table: Table) -> None:
    table.api.on_post = lambda asked: None
    _there_already(table)
    assert table.work().state == State.SCHEDULING
    assert str(Attempt.objects.get().uid) == UID


def test_05_a_post_that_timed_out_is_looked_up(table: Table) -> None:
    table.api.on_post = lambda asked: None
    assert table.work().state == State.PROVISIONING
    _there_already(table)
    assert table.work().state == State.SCHEDULING
    assert str(Attempt.objects.get().uid) == UID
    assert len({*table.posted()}) == 1


def _there_already(table: Table) -> None:
    """The pod is there, made by a pass that did not live to say so."""
    table.work()
    table.api.on_post = lambda asked: refused(409, "AlreadyExists", "already exists")
    attempt = Attempt.objects.select_related("pool__family__vendor").get()
    table.answer_get("/pods/", (200, factory.raw_pod(attempt, uid=UUID(UID), node=""), {}))


# --- the pod is lost ---------------------------------------------------------------------


def test_06_an_evicted_pod_is_replaced_and_counts(table: Table) -> None:
    table.runs()
    done = factory.terminated(NOON, NOON + SECOND)
    instance = table.ends(reason="Evicted", message="The node was low on memory.", state=done)
    assert (instance.state, instance.reason) == (State.RECOVERING, "evicted")
    assert table.asked("DELETE"), "the carcass is deleted"
    assert table.work(after=300 * SECOND).state == State.SCHEDULING
    assert table.posted()[-1].endswith("-a2")
    assert UsageInterval.objects.get().end_quality == "exact"


@pytest.mark.parametrize(
    ("condition", "reason"),
    [("PreemptionByScheduler", "preempted"), ("EvictionByEvictionAPI", "drained")],
)
def test_07_preemption_and_eviction_by_the_api_have_a_budget_of_their_own(
    table: Table, condition: str, reason: str
) -> None:
    sent_away = [{"type": "DisruptionTarget", "status": "True", "reason": condition}]
    for turn in range(1, lifecycle.MOST_DISRUPTIONS + 1):
        table.work(after=301 * SECOND)
        instance = table.ends(conditions=sent_away, node="", state=None)
        assert (instance.attempt_no, instance.state) == (turn, State.RECOVERING)
        assert instance.reason == reason
    told = TenantNotice.objects.filter(instance_id=instance.pk, kind="preempted")
    assert told.count() == lifecycle.MOST_DISRUPTIONS
    failed = table.work(after=301 * SECOND)
    assert (failed.state, dead_letters(failed)) == (State.FAILED, ["disrupted_too_often"])


def test_08_a_node_not_ready_is_waited_for(table: Table) -> None:
    table.runs()
    Node.objects.update(is_ready=False)
    instance = table.work()
    assert (instance.state, instance.reason) == (State.UNREACHABLE, "node_unreachable")
    Node.objects.update(is_ready=True)
    assert table.work(after=300 * SECOND).state == State.RUNNING
    assert instance.attempt_no == 1


def test_09_a_node_lost_past_toleration_is_left_behind(table: Table) -> None:
    table.runs()
    Node.objects.filter(name="node-1").update(is_ready=False)
    taint = [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]
    table.see(state=factory.running(NOON), conditions=taint, deleting=True)
    assert table.work().state == State.UNREACHABLE
    instance = table.work(after=lifecycle.UNREACHABLE_DEADLINE + SECOND)
    assert (instance.state, instance.reason) == (State.RECOVERING, "node_lost")
    assert table.work(after=10 * SECOND).state == State.SCHEDULING
    assert Attempt.objects.get(no=2).avoided_nodes == ["node-1"]
    assert _stays_away_from(table) == ["node-1"]
    # Nobody knows what the lost pod still does: its seconds wait for proof.
    assert UsageInterval.objects.get().ended_at is None


def _stays_away_from(table: Table) -> list[str]:
    affinity = table.asked("POST")[-1].body["spec"]["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return [value for field in term["matchFields"] for value in field["values"]]


def test_10_a_node_that_will_not_admit_is_given_half_a_minute_and_then_avoided(
    table: Table,
) -> None:
    for turn in range(1, 4):
        table.work()
        instance = table.ends(reason="UnexpectedAdmissionError", message="no device")
        assert (instance.attempt_no, instance.reason) == (turn, "device_not_admitted")
        assert table.work(after=29 * SECOND).state == State.RECOVERING
        table.work(after=SECOND)
    assert [attempt.avoided_nodes for attempt in Attempt.objects.order_by("no")] == [
        [],
        [],
        [],
        ["node-1"],
    ]
    assert _stays_away_from(table) == ["node-1"]


def test_11_an_unhealthy_device_kills_nothing_and_is_said(table: Table) -> None:
    table.runs()
    pod = table.see(state=factory.running(NOON), devices=["rngd-0"])
    pod.devices[0]["health"] = "Unhealthy"
    pod.save()
    instance = table.work()
    assert (instance.state, instance.reason) == (State.RUNNING, "device_unhealthy")
    assert instance.message == "rngd-0"
    assert not table.asked("DELETE")
    pod.devices[0]["health"] = "Healthy"
    pod.save()
    assert table.work().reason == "container_started"


# --- there is no room ----------------------------------------------------------------------


def test_12_a_farm_without_room_keeps_the_wish_in_the_queue(table: Table) -> None:
    NodeCapacity.objects.update(allocatable=0)
    instance = table.work()
    assert (instance.state, instance.reason) == (State.QUEUED, "no_capacity")
    assert not table.posted()
    NodeCapacity.objects.update(allocatable=8)
    assert table.work().state == State.SCHEDULING


def test_13_a_full_quota_of_the_cluster_waits_and_is_woken_by_the_end_of_a_pod(
    table: Table,
) -> None:
    neighbour = table.instance
    table.runs()
    table.api.on_post = lambda asked: refused(403, "Forbidden", QUOTA)
    table.instance = factory.launch(account=neighbour.account)
    waits = []
    for _ in range(4):
        table.drain()
        assert (table.instance.state, table.instance.reason) == (State.QUEUED, "cluster_quota")
        assert table.instance.next_reconcile_at is not None
        waits.append(table.instance.next_reconcile_at - table.now)
        table.now = table.instance.next_reconcile_at
    assert all(timedelta(seconds=30) <= wait <= timedelta(seconds=300) for wait in waits)
    assert not dead_letters(table.instance)
    assert table.instance.failures == 0
    table.drain()
    seen = ObservedPod.objects.get(instance_id=neighbour.pk)
    attempt = Attempt.objects.select_related("pool__family__vendor").get(instance=neighbour)
    over = factory.raw_pod(
        attempt, uid=seen.uid, phase="Succeeded", state=factory.terminated(NOON, NOON + SECOND)
    )
    later = table.now + SECOND
    change = following.Change(following.ChangeKind.MODIFIED, over)
    watching.take_change(table.cluster, change, marks=factory_marks(), at=later)
    table.instance.refresh_from_db()
    assert table.instance.next_reconcile_at == later, "woken early"


def test_14_a_quota_being_written_by_others_is_asked_again_at_once(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("provisioning.carrying.time.sleep", pauses.append)
    answers = [refused(409, "Conflict", CONFLICT)] * 5 + [(201, {"metadata": {"uid": UID}}, {})]
    table.api.on_post = lambda asked: answers.pop(0)
    assert table.work().state == State.SCHEDULING
    assert len({*table.posted()}) == 1
    assert len(pauses) == 5
    assert all(0.05 <= pause <= 0.5 for pause in pauses)


# --- the pod does not start ----------------------------------------------------------------


def test_15_an_image_that_cannot_be_pulled_is_tried_until_the_deadline(table: Table) -> None:
    table.work()
    backing_off = factory.waiting("ImagePullBackOff", "no such tag")
    table.see(phase="Pending", state=backing_off)
    instance = table.work()
    assert (instance.state, instance.reason) == (State.STARTING, "image_not_pulled")
    table.see(phase="Pending", state=factory.waiting("ErrImagePull", "pull QPS exceeded"))
    assert table.work().reason == "container_starting", "a queue is no error"
    table.see(phase="Pending", state=backing_off)
    late = table.work(after=lifecycle.STARTING_DEADLINE + SECOND)
    assert (late.state, late.message) == (State.FAILED, "ImagePullBackOff: no such tag")
    assert dead_letters(late) == ["not_started"]


@pytest.mark.parametrize("word", sorted(faults.PERMANENT))
def test_16_an_image_that_can_never_be_used_fails_at_once(table: Table, word: str) -> None:
    table.work()
    table.see(phase="Pending", state=factory.waiting(word, "it is wrong"))
    instance = table.work()
    assert (instance.state, dead_letters(instance)) == (State.FAILED, ["image_invalid"])
    assert table.asked("DELETE")


def test_17_a_pod_no_node_takes_gives_its_place_back_at_the_deadline(table: Table) -> None:
    table.work()
    table.see(phase="Pending", node="", conditions=[_unfit()])
    assert table.work().reason == "unschedulable"
    instance = table.work(after=lifecycle.SCHEDULING_DEADLINE + SECOND)
    assert (instance.state, instance.reason) == (State.QUEUED, "not_scheduled")
    assert table.asked("DELETE"), "a pending pod holds quota"
    assert not dead_letters(instance)


def test_18_a_product_no_node_has_fails_in_plain_words(table: Table) -> None:
    table.work()
    table.see(phase="Pending", node="", conditions=[_unfit()])
    NodeCapacity.objects.update(capacity=0, allocatable=0)
    assert table.work(after=30 * SECOND).state == State.SCHEDULING, "plugins may be late"
    instance = table.work(after=31 * SECOND)
    assert (instance.state, instance.reason) == (State.FAILED, "no_such_product")
    assert instance.message == "0/2 nodes are available"


def _unfit() -> dict[str, str]:
    return {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/2 nodes are available",
    }


def test_19_a_container_that_keeps_failing_is_given_up_after_five(table: Table) -> None:
    for _ in range(lifecycle.MOST_ATTEMPTS):
        table.work(after=60 * SECOND)
        instance = table.ends(state=factory.terminated(table.now, table.now, code=1))
    assert (instance.state, instance.attempt_no) == (State.RECOVERING, 5)
    failed = table.work(after=60 * SECOND)
    assert (failed.state, dead_letters(failed)) == (State.FAILED, ["too_many_attempts"])


def test_20_out_of_memory_is_said(table: Table) -> None:
    table.runs()
    done = factory.terminated(NOON, NOON + SECOND, code=137, reason="OOMKilled")
    instance = table.ends(state=done)
    assert (instance.state, instance.reason) == (State.RECOVERING, "out_of_memory")
    assert instance.message == "OOMKilled, exit code 137"


# --- the namespace is not there ------------------------------------------------------------


def test_21_a_namespace_on_its_way_out_is_waited_for_and_made_anew(table: Table) -> None:
    table.api.on_post = lambda asked: refused(403, "Forbidden", TERMINATING)
    instance = table.work()
    assert (instance.state, instance.reason) == (State.QUEUED, "namespace_terminating")
    row = TenantNamespace.objects.get()
    assert row.terminating_since == NOON
    going = {
        "metadata": {"name": row.name, "deletionTimestamp": "2026-03-15T03:00:00Z"},
        "status": {
            "conditions": [
                {
                    "type": "NamespaceFinalizersRemaining",
                    "status": "True",
                    "message": "Some content has finalizers remaining: example.test/keep in 1",
                }
            ]
        },
    }
    table.answer_get(f"/namespaces/{row.name}", (200, going, {}))
    lingering.follow_namespaces(at=NOON + timedelta(minutes=9))
    assert open_alarms() == []
    lingering.follow_namespaces(at=NOON + timedelta(minutes=10))
    alarm = alarms.open_alarms().get()
    assert (alarm.code, alarm.subject) == ("namespace_stuck", row.name)
    assert "example.test/keep" in alarm.message
    missing = refused(404, "NotFound", "no", kind="namespaces")
    table.answer_get(f"/namespaces/{row.name}", missing)
    lingering.follow_namespaces(at=NOON + timedelta(minutes=11))
    assert open_alarms() == []
    instance.refresh_from_db()
    assert instance.next_reconcile_at == NOON + timedelta(minutes=11), "woken at once"
    table.api.on_post = lambda asked: (201, {"metadata": {"uid": UID}}, {})
    applied = len(table.asked("PATCH"))
    assert table.work(after=timedelta(minutes=11)).state == State.SCHEDULING
    assert len(table.asked("PATCH")) > applied, "its objects are applied again"


def test_22_a_missing_namespace_is_prepared_and_the_pod_posted_again(table: Table) -> None:
    answers = [refused(404, "NotFound", "no", kind="namespaces")]
    created = (201, {"metadata": {"uid": UID}}, {})
    table.api.on_post = lambda asked: answers.pop(0) if answers else created
    table.work()
    assert table.work(after=SECOND).state == State.SCHEDULING
    assert table.posted() == [f"{table.instance.pk}-a1"] * 2


# --- the cluster refuses -------------------------------------------------------------------


def test_23_a_pod_the_rules_forbid_fails_and_calls_an_operator(table: Table) -> None:
    table.api.on_post = lambda asked: refused(403, "Forbidden", PSA)
    instance = table.work()
    assert (instance.state, dead_letters(instance)) == (State.FAILED, ["admission_refused"])
    table.work(after=300 * SECOND)
    assert len(table.posted()) == 1


def test_24_an_identity_without_the_right_pauses_the_cluster(table: Table) -> None:
    table.api.on_post = lambda asked: refused(403, "Forbidden", RBAC)
    instance = table.work()
    table.cluster.refresh_from_db()
    assert (instance.state, table.cluster.state) == (State.QUEUED, ClusterState.PAUSED)
    assert open_alarms() == ["cluster_denied"]
    assert instance.failures == 0


def test_25_a_strangers_pod_of_our_name_is_left_alone(table: Table) -> None:
    table.api.on_post = lambda asked: refused(409, "AlreadyExists", "already exists")
    stranger = factory.raw_pod(uid=uuid4(), node="")
    table.answer_get("/pods/", (200, stranger, {}))
    instance = table.work()
    assert (instance.state, dead_letters(instance)) == (State.FAILED, ["name_taken"])
    table.work()
    assert not table.asked("DELETE")


def test_26_a_patch_of_what_has_changed_is_read_and_made_again(table: Table) -> None:
    table.runs()
    stopping.stop_instance(instance=table.instance, at=table.now)
    table.work()
    done = factory.terminated(NOON, NOON + SECOND)
    pod = table.see(phase="Failed", deleting=True, state=done)
    held = {"metadata": {"uid": str(pod.uid), "resourceVersion": "7", "finalizers": ["x"]}}
    table.answer_get("/pods/", (200, held, {}))
    before = len(table.asked("PATCH"))
    table.api.on_apply = lambda asked: refused(409, "Conflict", "the object has been modified")
    assert table.work().state == State.STOPPING
    table.api.on_apply = lambda asked: (200, {}, {})
    table.work(after=5 * SECOND)
    assert len(table.asked("PATCH")) == before + 2
    table.see("DELETED", phase="Failed", deleting=True, state=done)
    assert table.work().state == State.STOPPED


def test_27_an_object_the_cluster_cannot_read_fails_with_its_causes(table: Table) -> None:
    table.api.on_post = lambda asked: refused(422, "Invalid", 'Pod "x" is invalid: spec.y')
    instance = table.work()
    assert (instance.state, instance.reason) == (State.FAILED, "invalid_object")
    assert "spec.y" in instance.dead_letters.get().message


def test_28_too_many_requests_are_obeyed_and_slow_the_whole_cluster_down(table: Table) -> None:
    slow = failure(429, "TooManyRequests", "slow")
    table.api.on_post = lambda asked: (429, slow, {"Retry-After": "7"})
    table.drain()
    assert table.instance.state == State.PROVISIONING
    assert table.instance.next_reconcile_at == NOON + 7 * SECOND
    table.cluster.refresh_from_db()
    assert table.cluster.breaker_failures == 0, "it did answer"
    granted = [_may_create(at=NOON) for _ in range(30)]
    assert granted.count(True) == pacing.BURST / 2
    later = [_may_create(at=NOON + 10 * SECOND + i * SECOND / 10) for i in range(100)]
    assert sum(later) == pytest.approx(10 * pacing.PER_SECOND / 2 + pacing.BURST / 2, abs=1)
    assert all(_may_create(at=NOON + 61 * SECOND) for _ in range(50)), "a minute later, as ever"


def _may_create(*, at: datetime) -> bool:
    return pacing.wait_for_turn(Cluster.objects.get(), at=at) is None


def test_29_refused_credentials_change_nothing_and_call_an_operator(table: Table) -> None:
    table.runs()
    table.api.on_post = lambda asked: refused(401, "Unauthorized", "Unauthorized")
    running, table.instance = table.instance, factory.launch(account=table.instance.account)
    instance = table.work()
    assert len(table.asked("POST")) == 3, "once more with the credentials read anew"
    assert (instance.state, instance.failures) == (State.PROVISIONING, 0)
    running.refresh_from_db()
    table.cluster.refresh_from_db()
    assert (running.state, table.cluster.state) == (State.RUNNING, ClusterState.PAUSED)
    assert open_alarms() == ["credentials_refused"]


# --- people --------------------------------------------------------------------------------


def test_30_a_tenant_who_deletes_while_it_is_created_leaves_nothing(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def created(*_: object) -> dict[str, Any]:
        stopping.terminate_instance(instance=table.instance, at=table.now)
        return {"metadata": {"uid": UID}}

    monkeypatch.setattr(asking, "create_pod", created)
    assert table.work().state == State.TERMINATING
    assert table.asked("DELETE")[-1].body["preconditions"] == {"uid": UID}
    table.see(phase="Pending", node="", deleting=True, finalizer=False)
    table.see("DELETED", phase="Pending", node="", deleting=True, finalizer=False)
    assert table.work().state == State.TERMINATED
    assert not UsageInterval.objects.exists()


def test_31_a_pod_deleted_by_hand_is_replaced_and_counts(table: Table) -> None:
    table.runs()
    done = factory.terminated(NOON, NOON + SECOND, code=143)
    table.see(phase="Failed", deleting=True, state=done)
    instance = table.work()
    assert (instance.state, instance.reason) == (State.RECOVERING, "deleted_outside")
    table.see("DELETED", phase="Failed", deleting=True, finalizer=False, state=done)
    assert table.work(after=300 * SECOND).attempt_no == 2
    assert UsageInterval.objects.get().end_quality == "exact"


def test_32_after_a_restore_no_crowd_of_orphans_is_touched(table: Table) -> None:
    table.runs()
    for _ in range(4):
        _seen_stray(table)
    Cluster.objects.update(last_list_at=F("added_at") + timedelta(minutes=5))
    assert orphaned.sweep_orphans(at=table.now) == 0
    assert open_alarms() == ["orphans_blocked"]
    assert not table.asked("DELETE")


def _seen_stray(table: Table) -> None:
    marks = factory_marks()
    raw = factory.raw_pod(uid=uuid4(), node="node-2", state=factory.running())
    raw["metadata"]["labels"] |= marks.labels(instance=str(uuid4()), attempt="1")
    change = following.Change(following.ChangeKind.ADDED, raw)
    watching.take_change(table.cluster, change, marks=marks, at=NOON)


def test_33_a_wrong_clock_of_ours_bills_nothing(table: Table) -> None:
    """What is billed is what the node timed; our own clock runs two hours ahead here."""
    table.now += timedelta(hours=2)
    table.work()
    table.see(state=factory.running(NOON))
    table.work()
    table.see(phase="Succeeded", state=factory.terminated(NOON, NOON + 90 * SECOND))
    assert table.work().state == State.STOPPING
    run = UsageInterval.objects.get()
    assert (run.started_at, run.ended_at) == (NOON, NOON + 90 * SECOND)


def test_33b_a_clock_nobody_has_set_is_put_aside_and_blocks_the_close(table: Table) -> None:
    table.work()
    dawn = datetime.fromisoformat("1970-01-01T00:00:00Z")
    pod = table.see(state=factory.running(dawn))
    assert (pod.started_at, pod.settlement) == (None, "open")
    assert table.work().state == State.RUNNING
    assert QuarantinedFact.objects.get().code == "implausible_time"
    over = table.see(phase="Failed", state=factory.terminated(dawn, dawn, code=1), deleting=True)
    assert over.settlement == "closed"
    assert not UsageInterval.objects.exists()


# --- and what is no fault ------------------------------------------------------------------


def test_34_a_container_that_finishes_stops_its_instance(table: Table) -> None:
    table.runs()
    table.see(phase="Succeeded", state=factory.terminated(NOON, NOON + SECOND))
    instance = table.work()
    assert (instance.state, instance.reason) == (State.STOPPING, "finished")
    assert not dead_letters(instance)


@pytest.mark.parametrize(
    "state",
    [
        # Deleted while its image came: no container, no times (Kubernetes 1.36).
        {
            "terminated": {
                "exitCode": 137,
                "reason": "ContainerStatusUnknown",
                "startedAt": None,
                "finishedAt": None,
            }
        },
        # A command that is not there: the runtime says 1970.
        {
            "terminated": {
                "exitCode": 128,
                "reason": "StartError",
                "containerID": "containerd://c1",
                "startedAt": "1970-01-01T00:00:00Z",
                "finishedAt": "2026-03-15T03:00:01Z",
            }
        },
    ],
)
def test_35_a_pod_that_never_ran_is_let_go_unbilled(table: Table, state: dict[str, Any]) -> None:
    table.work()
    container_id = state["terminated"].get("containerID", "")
    pod = table.see(phase="Failed", deleting=True, state=state, container_id=container_id)
    assert pod.settlement == "never_ran"
    held = {
        "metadata": {
            "uid": str(pod.uid),
            "resourceVersion": "7",
            "finalizers": [factory_marks().finalizer],
        }
    }
    table.answer_get("/pods/", (200, held, {}))
    table.work()
    assert table.asked("PATCH")[-1].body["metadata"]["finalizers"] is None
    assert not UsageInterval.objects.exists()
    assert podstatus.instant_of("1970-01-01T00:00:00Z") is None


def test_every_pause_is_spread_over_its_whole_ceiling() -> None:
    """Full jitter: of many instances that fail together, few come back together."""
    spread = [refusals.LONGEST_WAIT * faults.jitter(seed, 9) for seed in range(500)]
    assert min(spread) < 10
    assert max(spread) > 290
    assert attempts.PATIENCE < refusals.LONGEST_WAIT
