"""Rows 30 to 35: what people do, what clocks say, and what is no fault."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F

from billing.models import QuarantinedFact, UsageInterval
from provisioning import (
    allotting,
    faults,
    installation,
    orphaned,
    podstatus,
    refusals,
    stopping,
    watching,
)
from provisioning.cluster import asking
from provisioning.cluster import watching as following
from provisioning.models import Cluster
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.agreeing import UID
from tests.provisioning.fault_table.table import SECOND, Table, dead_letters, open_alarms


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
    marks = installation.current()
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
            "finalizers": [installation.current().finalizer],
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
    assert allotting.PATIENCE < refusals.LONGEST_WAIT
