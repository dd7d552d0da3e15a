"""The laws of metering at the watcher's desk: whatever it sees of a run, however often, how late.

The cluster remembers a pod until its end has been read (the finalizer), so the last thing
seen is always the end.  What came before may have been missed, seen twice or seen by two.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import QuarantinedFact, UsageInterval
from provisioning import auditing, lifecycle, observing, situations, usage, watching
from provisioning.leasing import Claim
from provisioning.models import Allocation, Attempt, Cluster, Instance, Node, ObservedPod
from provisioning.observing import Sight
from provisioning.specs import Device, Observation
from provisioning.states import Settlement
from provisioning.steps import Act, ReleasePod
from provisioning.surroundings import Surroundings
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.test_observing import make_attempt

LAWS = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@contextmanager
def undone() -> Iterator[None]:
    """Each example starts from the same rows."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def attempt(instance: Instance) -> Attempt:
    return make_attempt(instance)


@pytest.fixture
def other(attempt: Attempt) -> Attempt:
    return make_attempt(factory.launch())


def life_of(
    attempt: Attempt, seconds: int, *, since: int = 0, device_id: str = "npu0"
) -> list[Observation]:
    """Every version of a pod that runs so long and is deleted, as the API shows it."""
    assert attempt.uid
    device = Device(resource_name=factory.RNGD, device_id=device_id, health="Healthy")
    start = NOON + timedelta(seconds=since)
    end = start + timedelta(seconds=seconds)
    pending = Observation(
        uid=attempt.uid,
        namespace=attempt.namespace,
        name=attempt.pod_name,
        resource_version="1",
        instance_id=attempt.instance_id,
        attempt_no=attempt.no,
        spec_hash=attempt.spec_hash,
        has_finalizer=True,
    )
    bound = replace(pending, resource_version="2", node_name="node-1", container_state="waiting")
    running = replace(
        bound,
        resource_version="3",
        phase="Running",
        container_id="containerd://c1",
        container_state="running",
        started_at=start,
        devices=(device,),
    )
    ready = replace(running, resource_version="4", is_ready=True)
    ending = replace(ready, resource_version="5", is_deleting=True)
    over = replace(
        ending,
        resource_version="6",
        phase="Failed",
        container_state="terminated",
        finished_at=end,
        exit_code=137,
        is_ready=False,
    )
    return [pending, bound, running, ready, ending, over]


def may_release(attempt: Attempt) -> bool:
    """Whether the next step for the instance as it stands would take the finalizer off."""
    Instance.objects.update(desired="terminated", state="terminating")
    claim = Claim(Instance.objects.get(), uuid4(), runs_out_at=0)
    [found] = situations.gather_all([claim], at=NOON + timedelta(hours=1))
    step = lifecycle.plan(of=found.situation, now=found.at)
    return isinstance(step, Act) and isinstance(step.effect, ReleasePod)


@LAWS
@given(data=st.data(), seconds=st.integers(0, 10_000))
def test_whatever_is_missed_the_seconds_are_those_that_ran(
    attempt: Attempt, data: st.DataObject, seconds: int
) -> None:
    life = life_of(attempt, seconds)
    seen = data.draw(st.lists(st.sampled_from(life[:-1]), max_size=8).map(_in_order))
    late = data.draw(st.integers(0, 86_400))
    at = NOON + timedelta(seconds=seconds + late)
    with undone():
        for observation in [*seen, life[-1], life[-1]]:
            observing.observe_pod(cluster=attempt.cluster, observation=observation, at=at)
        interval = UsageInterval.objects.get()
        assert interval.ended_at is not None
        assert (interval.ended_at - interval.started_at).total_seconds() == seconds
        assert interval.end_quality == "exact"
        assert Allocation.objects.get().ended_at == interval.ended_at
        assert not QuarantinedFact.objects.exists()
        assert auditing.audit_usage() == []


def _in_order(seen: list[Observation]) -> list[Observation]:
    return sorted(seen, key=lambda observation: observation.resource_version)


@LAWS
@given(data=st.data())
def test_a_finalizer_goes_only_when_the_end_is_in_the_ledger(
    attempt: Attempt, data: st.DataObject
) -> None:
    life = life_of(attempt, 90)
    seen = data.draw(st.lists(st.sampled_from(life), min_size=1, max_size=8).map(_in_order))
    with undone():
        for observation in seen:
            deleting = replace(observation, is_deleting=True)
            observing.observe_pod(
                cluster=attempt.cluster, observation=deleting, at=NOON + timedelta(hours=1)
            )
            open_runs = UsageInterval.objects.filter(ended_at=None).count()
            if may_release(attempt):
                assert open_runs == 0
                assert not (observation.node_name and not observation.is_over)
            if observation.is_over:
                assert may_release(attempt)


@LAWS
@given(data=st.data())
def test_two_watchers_write_what_one_would(
    attempt: Attempt, cluster: Cluster, data: st.DataObject
) -> None:
    """Each tells the same versions in order, in any interleaving; the last word is the end."""
    life = life_of(attempt, 90)
    first, second = list(life), list(life)
    with undone():
        while first or second:
            turn = data.draw(st.booleans()) if first and second else bool(first)
            observation = (first if turn else second).pop(0)
            observing.observe_pod(
                cluster=attempt.cluster, observation=observation, at=NOON + timedelta(hours=1)
            )
        interval = UsageInterval.objects.get()
        assert (interval.started_at, interval.ended_at) == (NOON, NOON + timedelta(seconds=90))
        assert ObservedPod.objects.get().settlement == Settlement.CLOSED
        assert not QuarantinedFact.objects.exists()


@settings(LAWS, max_examples=10)
@given(data=st.data())
def test_whatever_is_written_together_the_ledger_is_what_it_is_one_by_one(
    attempt: Attempt, other: Attempt, data: st.DataObject
) -> None:
    """Two pods, in any interleaving and any batches."""
    first, second = life_of(attempt, 90), life_of(other, 30, since=60, device_id="npu1")
    waiting = []
    while first or second:
        turn = data.draw(st.booleans()) if first and second else bool(first)
        waiting.append(Sight(observation=(first if turn else second).pop(0)))
    with undone():
        at = NOON + timedelta(hours=1)
        while waiting:
            count = data.draw(st.integers(1, len(waiting)))
            together, waiting = waiting[:count], waiting[count:]
            watching.take_sights(Surroundings(attempt.cluster), together, at=at)
        rows = UsageInterval.objects.order_by("started_at").values_list("started_at", "ended_at")
        starts = (NOON, NOON + timedelta(seconds=60))
        ends = (NOON + timedelta(seconds=90), NOON + timedelta(seconds=90))
        assert list(rows) == list(zip(starts, ends, strict=True))
        held = Allocation.objects.order_by("started_at").values_list("started_at", "ended_at")
        assert list(held) == list(rows)
        assert set(ObservedPod.objects.values_list("settlement", flat=True)) == {"closed"}
        assert not QuarantinedFact.objects.exists()
        assert auditing.audit_usage() == []


@LAWS
@given(
    proofs=st.lists(st.integers(-100, 5_000), max_size=5),
    lost_after=st.integers(0, 5_000),
)
def test_without_an_end_no_second_is_billed_that_was_not_proved(
    attempt: Attempt, proofs: list[int], lost_after: int
) -> None:
    """M2 and M4: at most up to the last proof, and never beyond when it was missed."""
    running = life_of(attempt, 90)[2]
    with undone():
        at = NOON + timedelta(seconds=max([lost_after, *proofs]))
        observing.observe_pod(cluster=attempt.cluster, observation=running, at=at)
        pod = ObservedPod.objects.get()
        nodes = factory.add_nodes(
            attempt.cluster, factory.raw_node(uid=_node_uid(attempt)), leases=[]
        )
        _vouch(pod, nodes["node-1"], proofs)
        observing.miss_pod(pod=ObservedPod.objects.get(), at=at)
        interval = UsageInterval.objects.get()
        proved = max([0, *proofs])
        assert interval.ended_at == NOON + timedelta(seconds=min(proved, (at - NOON).seconds))
        assert interval.end_quality == "bounded"
        assert interval.gap_seconds == (at - interval.ended_at).total_seconds()


def _node_uid(attempt: Attempt) -> UUID:
    return attempt.cluster.nodes.get(gone_at=None).uid


def _vouch(pod: ObservedPod, node: Node, proofs: list[int]) -> None:
    instance = Instance.objects.get()
    usage.name_witness(pod=pod, instance=instance, node=node, at=NOON + timedelta(hours=2))
    for proof in proofs:
        usage.vouch_for_node(node=node, proved_until=NOON + timedelta(seconds=proof))
