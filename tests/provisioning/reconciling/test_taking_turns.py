"""Many wishes for few devices: who is placed, who waits, and who is held up by nobody."""

import threading
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import connection

from provisioning import situations
from provisioning.models import Attempt, Cluster, Instance, Node
from provisioning.states import AttemptState, State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.agreeing import Api
from tests.provisioning.reconciling.passing import drain


def test_a_long_queue_moves_up_as_soon_as_there_is_room(cluster: Cluster, api: Api) -> None:
    """More wait than are woken by whoever brings the room: those who are placed wake the rest."""
    account = factory.open_account()
    Node.objects.update(is_ready=False)
    for _ in range(30):
        factory.launch(account=account)
    drain()
    assert not Attempt.objects.exists()
    factory.add_nodes(cluster, *(factory.raw_node(name=f"big-{n}") for n in range(5)))
    api.on_post = lambda asked: (201, {"metadata": {"uid": str(uuid4())}}, {})
    drain(NOON + timedelta(seconds=1))
    assert Attempt.objects.filter(state=AttemptState.CREATED).count() == 30


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
    original = situations.gather_all

    def gather(claims: Any, *, at: datetime) -> Any:
        if any(claim.instance.pk == poison.pk for claim in claims):
            raise ValueError("a bug")
        return original(claims, at=at)

    with patch.object(situations, "gather_all", gather):
        drain()
    healthy.refresh_from_db()
    poison.refresh_from_db()
    assert healthy.state == State.SCHEDULING
    assert poison.lease_token is None
    assert poison.state == State.QUEUED
    assert poison.next_reconcile_at == NOON + timedelta(seconds=30)


def test_a_trouble_after_the_lease_is_lost_does_not_hold_up_the_others(
    cluster: Cluster, api: Api
) -> None:
    account = factory.open_account()
    poison, healthy = (factory.launch(account=account) for _ in range(2))
    original = situations.gather_all

    def gather(claims: Any, *, at: datetime) -> Any:
        if any(claim.instance.pk == poison.pk for claim in claims):
            Instance.objects.filter(pk=poison.pk).update(lease_token=uuid4())
            raise ValueError("a bug")
        return original(claims, at=at)

    with patch.object(situations, "gather_all", gather):
        drain()
    healthy.refresh_from_db()
    assert healthy.state == State.SCHEDULING
