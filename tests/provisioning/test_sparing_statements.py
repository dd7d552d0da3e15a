"""What an observation costs the database, and what of it is shared when several wait."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import QuarantinedFact, UsageInterval
from provisioning import auditing, installation, observing, podstatus, relisting, watching
from provisioning.cluster.watching import Change, ChangeKind
from provisioning.models import Allocation, Attempt, Cluster, Device, Instance, ObservedPod
from provisioning.observing import Sight
from provisioning.surroundings import Surroundings
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.test_observing import AT, ended, make_attempt

# With the two that begin and end the transaction; inside a test's they are as many.
FIRST = 12
OVER = 13


@pytest.fixture
def attempt(instance: Instance) -> Attempt:
    return make_attempt(instance)


@pytest.fixture
def surroundings(cluster: Cluster) -> Surroundings:
    """A watcher has looked around, and seen every device before."""
    (node,), (pool,) = cluster.nodes.all(), cluster.pools.all()
    for number in range(8):
        Device.objects.create(
            node=node,
            pool=pool,
            device_id=f"npu{number}",
            health="healthy",
            health_since=NOON,
            first_seen_at=NOON,
            seen_at=NOON,
        )
    surroundings = Surroundings(cluster)
    assert surroundings.node_of(ObservedPod(node_name="node-1"))
    assert surroundings.pools_named(factory.RNGD)
    return surroundings


def sight(attempt: Attempt, **words: Any) -> Sight:
    raw = factory.raw_pod(attempt, **words)
    return Sight(observation=podstatus.read_pod(raw, marks=installation.current()))


def statements_for(*sights: Sight, surroundings: Surroundings) -> int:
    with CaptureQueriesContext(connection) as captured:
        observing.observe_together(sights, at=AT, surroundings=surroundings)
    return len(captured)


def test_the_first_observation_of_a_run(attempt: Attempt, surroundings: Surroundings) -> None:
    pending = sight(attempt, phase="Pending", state=factory.waiting("Pulling"), container_id="")
    assert statements_for(pending, surroundings=surroundings) <= 6
    running = sight(attempt, state=factory.running(), devices=["npu0"])
    assert statements_for(running, surroundings=surroundings) <= FIRST
    assert UsageInterval.objects.count() == Allocation.objects.count() == 1


def test_an_unchanged_and_a_boring_one(attempt: Attempt, surroundings: Surroundings) -> None:
    seen = sight(attempt, state=factory.running(), devices=["npu0"])
    statements_for(seen, surroundings=surroundings)
    assert statements_for(seen, surroundings=surroundings) <= 1
    boring = sight(attempt, state=factory.running(), devices=["npu0"])
    assert statements_for(boring, surroundings=surroundings) <= 2
    pod = ObservedPod.objects.get()
    assert pod.resource_version == boring.observation.resource_version


def test_the_end_of_a_run(attempt: Attempt, surroundings: Surroundings) -> None:
    statements_for(
        sight(attempt, state=factory.running(), devices=["npu0"]), surroundings=surroundings
    )
    over = sight(attempt, phase="Failed", state=ended(), devices=["npu0"])
    assert statements_for(over, surroundings=surroundings) <= OVER
    assert Allocation.objects.get().ended_at is not None


def test_those_that_wait_share_what_they_can(cluster: Cluster, surroundings: Surroundings) -> None:
    attempts = [make_attempt(factory.launch()) for _ in range(3)]
    sights = [
        sight(attempt, state=factory.running(), devices=[f"npu{number}"])
        for number, attempt in enumerate(attempts)
    ]
    # Nine for the whole of them, and three for each: its price's name, its interval, its devices.
    assert statements_for(*sights, surroundings=surroundings) <= 9 + 3 * 3
    assert UsageInterval.objects.count() == Allocation.objects.count() == 3
    due = Instance.objects.filter(next_reconcile_at=AT, observation_seq=1)
    assert due.count() == 3
    assert auditing.audit_usage() == []


def take(surroundings: Surroundings, *raws: dict[str, Any], kind: str = "MODIFIED") -> None:
    changes = [Change(ChangeKind(kind), raw) for raw in raws]
    watching.take_changes(surroundings, changes, marks=installation.current(), at=AT)


@pytest.mark.parametrize("poison", [{"reason": "x" * 500}, {"devices": ["y" * 200]}, None])
def test_a_poisoned_change_holds_up_no_neighbour(
    attempt: Attempt, surroundings: Surroundings, poison: dict[str, Any] | None
) -> None:
    second, third = (make_attempt(factory.launch()) for _ in range(2))
    bad = factory.raw_pod(second, state=factory.running(), **(poison or {}))
    if poison is None:
        bad["metadata"].pop("uid")
    good = [
        factory.raw_pod(one, state=factory.running(), devices=[device])
        for one, device in ((attempt, "npu0"), (third, "npu1"))
    ]
    take(surroundings, good[0], bad, good[1])
    metered = UsageInterval.objects.values_list("holder_uid", flat=True)
    assert {attempt.uid, third.uid} <= set(metered)
    assert Allocation.objects.count() == 2
    assert auditing.audit_usage() == []


def test_a_contradiction_among_those_that_wait_is_put_aside_alone(
    attempt: Attempt, surroundings: Surroundings
) -> None:
    second = make_attempt(factory.launch())
    overlapping = factory.terminated(NOON + timedelta(seconds=10), NOON + timedelta(seconds=90))
    take(
        surroundings,
        factory.raw_pod(attempt, phase="Failed", state=ended(), devices=["npu0"]),
        factory.raw_pod(second, phase="Failed", state=overlapping, devices=["npu0"]),
    )
    assert UsageInterval.objects.count() == 2
    assert Allocation.objects.get().instance == attempt.instance
    assert QuarantinedFact.objects.get().code == "overlap"


def test_versions_of_one_pod_that_wait_are_taken_in_their_order(
    attempt: Attempt, surroundings: Surroundings
) -> None:
    life = [
        factory.raw_pod(attempt, phase="Pending", node=""),
        factory.raw_pod(attempt, state=factory.running(), devices=["npu0"]),
        factory.raw_pod(attempt, phase="Failed", state=ended(), devices=["npu0"]),
    ]
    take(surroundings, *life)
    take(surroundings, life[-1], kind="DELETED")
    interval = UsageInterval.objects.get()
    assert (interval.started_at, interval.end_quality) == (NOON, "exact")
    assert Allocation.objects.get().ended_at == interval.ended_at
    pod = ObservedPod.objects.get()
    assert (pod.settlement, pod.gone_at) == ("closed", AT)
    assert auditing.audit_usage() == []


def test_the_end_of_a_run_may_be_told_before_its_start_was_taken_in(
    attempt: Attempt, surroundings: Surroundings
) -> None:
    # The last word names no container and no devices any more.
    lost = factory.terminated(None, None, code=137, reason="ContainerStatusUnknown")
    take(
        surroundings,
        factory.raw_pod(attempt, state=factory.running(), devices=["npu0"]),
        factory.raw_pod(attempt, phase="Failed", state=lost, container_id=""),
    )
    interval = UsageInterval.objects.get()
    assert (interval.started_at, interval.ended_at, interval.end_quality) == (NOON, NOON, "bounded")
    assert Allocation.objects.get().device_id == "npu0"
    assert auditing.audit_usage() == []


def test_a_container_replaced_among_those_that_wait_keeps_both_runs(
    attempt: Attempt, surroundings: Surroundings
) -> None:
    later = NOON + timedelta(seconds=60)
    take(
        surroundings,
        factory.raw_pod(attempt, state=factory.running(), container_id="containerd://c1"),
        factory.raw_pod(attempt, state=factory.running(later), container_id="containerd://c2"),
    )
    rows = UsageInterval.objects.order_by("started_at").values_list("run_id", "ended_at")
    assert list(rows) == [("containerd://c1", NOON), ("containerd://c2", None)]
    assert auditing.audit_usage() == []


def test_a_device_freed_and_given_again_among_those_that_wait(
    attempt: Attempt, surroundings: Surroundings
) -> None:
    second = make_attempt(factory.launch())
    take(surroundings, factory.raw_pod(attempt, state=factory.running(), devices=["npu0"]))
    since = NOON + timedelta(seconds=120)
    take(
        surroundings,
        factory.raw_pod(second, state=factory.running(since), devices=["npu0"]),
        factory.raw_pod(attempt, phase="Failed", state=ended(), devices=["npu0"]),
    )
    held = Allocation.objects.order_by("started_at").values_list("ended_at", flat=True)
    assert list(held) == [NOON + timedelta(seconds=90), None]
    assert not QuarantinedFact.objects.exists()


def test_a_node_vouches_for_all_its_new_runs_at_once(
    cluster: Cluster, surroundings: Surroundings
) -> None:
    for number in range(3):
        attempt = make_attempt(factory.launch())
        raw = factory.raw_pod(attempt, state=factory.running(), devices=[f"npu{number}"])
        take(surroundings, raw)
    (node,) = cluster.nodes.all()
    pods = list(ObservedPod.objects.all())
    with CaptureQueriesContext(connection) as captured:
        relisting._name_witnesses(node, pods, AT)
    # As many as for one, with the making of the witness.
    assert len(captured) <= 12
    assert UsageInterval.objects.filter(witness__ref=f"{node.uid}/{node.boot_id}").count() == 3
    assert not ObservedPod.objects.filter(witness_ref="").exists()


def test_a_run_the_ledger_has_otherwise_is_looked_at_by_itself(
    attempt: Attempt, surroundings: Surroundings
) -> None:
    second = make_attempt(factory.launch())
    for one in (attempt, second):
        take(surroundings, factory.raw_pod(one, state=factory.running(), container_id=f"c{one.pk}"))
    ObservedPod.objects.filter(uid=second.uid).update(started_at=NOON + timedelta(seconds=5))
    (node,) = attempt.cluster.nodes.all()
    relisting._name_witnesses(node, list(ObservedPod.objects.all()), AT)
    assert UsageInterval.objects.get(holder_uid=attempt.uid).witness is not None
    assert UsageInterval.objects.get(holder_uid=second.uid).witness is None
    assert QuarantinedFact.objects.get().code == "changed_run"


def test_a_copy_made_by_hand_is_nobodys_among_others_too(
    attempt: Attempt, surroundings: Surroundings
) -> None:
    copy = factory.raw_pod(attempt, state=factory.running(), uid=uuid4())
    take(surroundings, factory.raw_pod(attempt, state=factory.running()), copy)
    assert UsageInterval.objects.get().holder_uid == attempt.uid
    assert QuarantinedFact.objects.get().code == "unknown_sku"
