"""Rows 6 to 11 and 36: the pod is lost, or what it stands on is."""

import pytest

from billing.models import UsageInterval
from provisioning import lifecycle, losing
from provisioning.models import Attempt, Node, TenantNotice
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.fault_table.table import SECOND, Table, dead_letters


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


def test_36_a_cluster_given_up_is_left_behind_and_pays_what_was_proved(table: Table) -> None:
    table.runs()
    table.api.canned.answer = lambda asked: None
    losing.declare_lost(
        cluster=table.cluster,
        confirmation=table.cluster.name,
        reason="The hall has burned.",
        by="erin",
        at=table.now + losing.SILENT_FOR,
    )
    instance = table.work(after=losing.SILENT_FOR)
    assert (instance.state, instance.reason) == (State.RECOVERING, "cluster_lost")
    interval = UsageInterval.objects.get()
    assert (interval.end_quality, interval.end_reason) == ("bounded", "cluster_lost")
    instance = table.work(after=301 * SECOND)
    assert (instance.state, instance.reason) == (State.QUEUED, "no_pool")
