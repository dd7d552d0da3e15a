"""Rows 12 to 20: there is no room, or the pod does not start."""

from datetime import timedelta

import pytest

from provisioning import faults, installation, lifecycle, watching
from provisioning.cluster import watching as following
from provisioning.models import Attempt, NodeCapacity, ObservedPod
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.agreeing import UID
from tests.provisioning.fault_table.table import SECOND, Table, dead_letters, refused
from tests.provisioning.test_asking_clusters import QUOTA

CONFLICT = 'Operation cannot be fulfilled on resourcequotas "npu-tenant": it has been modified'


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
    watching.take_change(table.cluster, change, marks=installation.current(), at=later)
    table.instance.refresh_from_db()
    assert table.instance.next_reconcile_at == later, "woken early"


def test_14_a_quota_being_written_by_others_is_asked_again_at_once(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("provisioning.creating.time.sleep", pauses.append)
    answers = [refused(409, "Conflict", CONFLICT)] * 5 + [(201, {"metadata": {"uid": UID}}, {})]
    table.api.on_post = lambda asked: answers.pop(0)
    assert table.work().state == State.SCHEDULING
    assert len({*table.posted()}) == 1
    assert len(pauses) == 5
    assert all(0.05 <= pause <= 0.5 for pause in pauses)


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
