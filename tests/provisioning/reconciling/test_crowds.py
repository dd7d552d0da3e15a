"""A crowd goes together, and whatever is wrong with one of it stays its own."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from provisioning import creating, leasing, reconciling, recording, stopping
from provisioning.models import Attempt, Cluster, Instance, Transition
from provisioning.states import AttemptState, State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.agreeing import Api
from tests.provisioning.canned import Answer, Asked
from tests.provisioning.reconciling.passing import claim, drain
from tests.provisioning.test_asking_clusters import failure

ACCEPTED = 201


@pytest.fixture(autouse=True)
def pods_of_their_own(api: Api) -> None:
    """Each pod has its own UID."""
    api.on_post = lambda asked: (ACCEPTED, {"metadata": {"uid": str(uuid4())}}, {})


@pytest.fixture
def crowd(cluster: Cluster) -> list[Instance]:
    """Five who come after one that had the namespace made."""
    first = factory.launch()
    drain()
    return [factory.launch(account=first.account) for _ in range(5)]


def states(instances: list[Instance]) -> list[str]:
    """What became of them, in their order."""
    now = dict(Instance.objects.values_list("pk", "state"))
    return [now[instance.pk] for instance in instances]


def name_of(asked: Asked) -> str:
    """Return the name of the pod that was posted."""
    return str(asked.body["metadata"]["name"])


def test_a_crowd_becomes_pods_in_one_go(crowd: list[Instance], api: Api) -> None:
    before = api.count("POST")
    assert drain() == 5
    assert states(crowd) == [State.SCHEDULING] * 5
    assert api.count("POST") == before + 5
    for instance in crowd:
        instance.refresh_from_db()
        assert [t.to_state for t in instance.transitions.all()] == [
            "queued",
            "provisioning",
            "scheduling",
        ]
        assert instance.attempts.get().pod_name == f"{instance.pk}-a1"
        assert (instance.attempt_no, instance.lease_token) == (1, None)
        assert instance.next_reconcile_at == NOON + creating.UNTIL_SEEN


def test_a_larger_crowd_takes_no_more_statements(cluster: Cluster) -> None:
    factory.add_nodes(cluster, *(factory.raw_node(name=f"more-{n}") for n in range(5)))
    first = factory.launch()
    drain()
    taken = []
    for size in (4, 30):
        for _ in range(size):
            factory.launch(account=first.account)
        with CaptureQueriesContext(connection) as queries:
            assert drain() == size
        taken.append(len(queries))
    assert Attempt.objects.filter(state=AttemptState.CREATED).count() == 35
    assert taken[1] <= taken[0] + 2


def test_a_namespace_is_prepared_once_for_a_crowd(cluster: Cluster, api: Api) -> None:
    account = factory.open_account()
    crowd = [factory.launch(account=account) for _ in range(5)]
    drain()
    assert states(crowd) == [State.SCHEDULING] * 5
    # The tenant's objects, and the farm's own namespace once.
    assert api.count("PATCH") == 7 + 1


def test_who_finds_no_room_waits_and_the_others_go(crowd: list[Instance], api: Api) -> None:
    late = [factory.launch(account=crowd[0].account) for _ in range(4)]
    drain()
    assert sorted(states(crowd + late)) == [State.QUEUED] * 2 + [State.SCHEDULING] * 7
    [reason] = {i.reason for i in Instance.objects.filter(state=State.QUEUED)}
    assert reason == "no_capacity"


def test_a_pod_that_is_forbidden_fails_alone(crowd: list[Instance], api: Api) -> None:
    agreed = api.on_post

    def refuse_one(asked: Asked) -> Answer | None:
        if name_of(asked) == f"{crowd[2].pk}-a1":
            return 422, failure(422, "Invalid", "no such thing", kind="pods"), {}
        return agreed(asked)

    api.on_post = refuse_one
    drain()
    assert states(crowd) == [State.SCHEDULING] * 2 + [State.FAILED] + [State.SCHEDULING] * 2
    assert Attempt.objects.filter(instance=crowd[2]).get().state == AttemptState.GONE


def test_an_answer_that_makes_no_sense_is_one_instances_trouble(
    crowd: list[Instance], api: Api
) -> None:
    agreed = api.on_post

    def babble_once(asked: Asked) -> Answer | None:
        return (ACCEPTED, {}, {}) if name_of(asked) == f"{crowd[2].pk}-a1" else agreed(asked)

    api.on_post = babble_once
    drain()
    others = [instance for instance in crowd if instance != crowd[2]]
    assert states(others) == [State.SCHEDULING] * 4
    crowd[2].refresh_from_db()
    assert (crowd[2].state, crowd[2].lease_token) == (State.PROVISIONING, None)
    assert crowd[2].next_reconcile_at == NOON + reconciling.PAUSE_AFTER_ERROR


def test_what_stops_a_worker_keeps_nobody(crowd: list[Instance]) -> None:
    claims = leasing.claim_due(at=NOON, most=10)
    with (
        patch.object(reconciling, "_go_together", side_effect=RuntimeError("stopped")),
        pytest.raises(RuntimeError),
    ):
        reconciling.reconcile_all(claims, clock=lambda: NOON)
    assert len(leasing.claim_due(at=NOON, most=10)) == 5


def test_a_stop_before_the_create_is_heard_in_time(crowd: list[Instance], api: Api) -> None:
    """A wish that comes while the crowd is being placed: no pod is begun for it."""
    claims = leasing.claim_due(at=NOON, most=10)
    stopping.stop_instance(instance=Instance.objects.get(pk=crowd[0].pk), at=NOON)
    before = api.count("POST")
    reconciling.reconcile_all(claims, clock=lambda: NOON)
    assert api.count("POST") == before + 4
    drain()
    assert states(crowd) == [State.STOPPED, *[State.SCHEDULING] * 4]


def test_a_pod_that_is_there_already_is_looked_up(crowd: list[Instance], api: Api) -> None:
    """Somebody posted it and died before writing that down."""
    agreed, there = api.on_post, uuid4()
    posted: dict[str, Any] = {}

    def one_is_there(asked: Asked) -> Answer | None:
        if name_of(asked) != f"{crowd[0].pk}-a1":
            return agreed(asked)
        posted.update(asked.body)
        return 409, failure(409, "AlreadyExists", "there", kind="pods"), {}

    def found(asked: Asked) -> Answer | None:
        metadata = {**posted["metadata"], "uid": str(there), "resourceVersion": "1"}
        return 200, {**posted, "metadata": metadata, "status": {"phase": "Pending"}}, {}

    api.on_post, api.on_get = one_is_there, found
    drain()
    assert states(crowd) == [State.SCHEDULING] * 5
    assert Attempt.objects.get(instance=crowd[0]).uid == there


def test_a_stop_during_the_create_is_acted_on_at_once(crowd: list[Instance], api: Api) -> None:
    original = creating.post_all

    def interrupted(orders: Any) -> Any:
        answers = original(orders)
        stopping.stop_instance(instance=Instance.objects.get(pk=crowd[1].pk), at=NOON)
        return answers

    with patch.object(creating, "post_all", interrupted):
        drain()
    assert states(crowd) == [
        State.SCHEDULING,
        State.STOPPING,
        *[State.SCHEDULING] * 3,
    ]
    assert api.count("DELETE") == 1


def test_whose_row_is_being_written_to_goes_alone(crowd: list[Instance], api: Api) -> None:
    """The watcher holds it, say: nobody waits for it with all the others in hand."""
    original, before = recording.lock, api.count("POST")

    def without_one(claims: Any) -> Any:
        return {pk: now for pk, now in original(claims).items() if pk != crowd[1].pk}

    with patch.object(recording, "lock", without_one):
        drain()
    assert states(crowd) == [State.SCHEDULING] * 5
    assert api.count("POST") == before + 5
    assert Attempt.objects.filter(instance=crowd[1]).count() == 1


def test_one_lost_lease_records_nothing_for_it(crowd: list[Instance], api: Api) -> None:
    claims = leasing.claim_due(at=NOON, most=10)
    Instance.objects.filter(pk=crowd[3].pk).update(lease_token=uuid4())
    reconciling.reconcile_all(claims, clock=lambda: NOON)
    assert states(crowd)[3] == State.QUEUED
    assert not Attempt.objects.filter(instance=crowd[3]).exists()
    assert Transition.objects.filter(instance=crowd[3]).count() == 1
    drain()
    others = [instance for instance in crowd if instance != crowd[3]]
    assert states(others) == [State.SCHEDULING] * 4


def test_a_cluster_that_falls_silent_is_not_asked_by_everybody(cluster: Cluster, api: Api) -> None:
    factory.add_nodes(cluster, *(factory.raw_node(name=f"more-{n}") for n in range(5)))
    first = factory.launch()
    drain()
    for _ in range(40):
        factory.launch(account=first.account)
    api.on_post = lambda asked: (503, failure(503, "", "down"), {})
    before = api.count("POST")
    drain()
    # So many were on their way at once, and a few more until the breaker opened.
    assert api.count("POST") - before <= 8 + 5
    cluster.refresh_from_db()
    assert cluster.breaker_until is not None
    assert Attempt.objects.filter(state=AttemptState.CREATED).count() == 1


def test_what_there_is_no_time_for_is_somebody_elses(crowd: list[Instance], api: Api) -> None:
    """A slow pass does not keep the rest of what was claimed with it."""
    Instance.objects.update(state=State.SCHEDULING, next_reconcile_at=NOON)
    claims = leasing.claim_due(at=NOON, most=10)
    ticks = iter(NOON + timedelta(seconds=2 * n) for n in range(100))

    def clock() -> Any:
        return next(ticks)

    assert reconciling.reconcile_all(claims, clock=clock) < len(claims)
    free = Instance.objects.filter(lease_token=None, next_reconcile_at=NOON)
    assert free.exists()
    assert claim() is not None


def test_no_more_are_claimed_than_are_asked_for(crowd: list[Instance]) -> None:
    def ids(most: int) -> Iterator[UUID]:
        return (claim.instance.pk for claim in leasing.claim_due(at=NOON, most=most))

    first, rest = set(ids(2)), set(ids(10))
    assert len(first) == 2
    assert first | rest == {instance.pk for instance in crowd}
    assert not first & rest
