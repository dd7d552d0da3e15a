"""Rows 21 to 29: the namespace is not there, or the cluster refuses."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from provisioning import alarms, lingering, pacing, stopping
from provisioning.models import Cluster, ClusterState, TenantNamespace
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.agreeing import UID
from tests.provisioning.fault_table.table import SECOND, Table, dead_letters, open_alarms, refused
from tests.provisioning.test_asking_clusters import PSA, RBAC, failure

TERMINATING = "namespace npu is being terminated"


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
