"""Whoever lets several instances be looked at holds them in one order."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from provisioning import lingering, queueing, waking
from provisioning.models import (
    Cluster,
    Instance,
    NodeCapacity,
    ObservedPod,
    Pool,
    TenantNamespace,
)
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON

LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def two(cluster: Cluster) -> list[Instance]:
    return [factory.launch(name=name) for name in ("one", "two")]


@contextmanager
def ordered() -> Iterator[None]:
    """Rows of instances are written only once they are held by their keys' order."""
    with CaptureQueriesContext(connection) as asked:
        yield
    said = [one["sql"] for one in asked]
    written = [sql for sql in said if sql.startswith("UPDATE") and '"observation_seq" = ' in sql]
    assert written
    assert all("ORDER BY" in sql and "FOR NO KEY UPDATE" in sql for sql in written)


def test_those_woken_are_due_and_no_pass_sleeps_over_it(two: list[Instance]) -> None:
    rows = Instance.objects.filter(pk=two[0].pk)
    with ordered():
        assert waking.wake(rows, at=LATER) == 1
    woken, other = (Instance.objects.get(pk=one.pk) for one in two)
    assert (woken.next_reconcile_at, woken.observation_seq) == (LATER, 1)
    assert (other.next_reconcile_at, other.observation_seq) == (NOON, 0)
    assert waking.wake(rows.none(), at=LATER) == 0


def a_free_device(two: list[Instance]) -> None:
    queueing.wake_queue(family_id=Pool.objects.get().family_id, at=LATER)


def a_namespace_that_is_gone(two: list[Instance]) -> None:
    Instance.objects.update(reason=lingering.WAITING)
    row = TenantNamespace(cluster=Cluster.objects.get(), tenant_id=two[0].tenant_id, name="npu-x")
    lingering._is_over(row, LATER)


def a_node_that_falls_silent(two: list[Instance]) -> None:
    cluster = Cluster.objects.get()
    for one in two:
        given: dict[str, Any] = {"uid": uuid4(), "name": one.name, "instance_id": one.pk}
        ObservedPod.objects.create(
            cluster=cluster, node_name="node-1", first_seen_at=NOON, seen_at=NOON, **given
        )
    node = NodeCapacity.objects.get().node
    factory.add_nodes(cluster, factory.raw_node(uid=node.uid, ready=False))


@pytest.mark.parametrize(
    "happens", [a_free_device, a_namespace_that_is_gone, a_node_that_falls_silent]
)
def test_who_wakes_several_holds_them_in_one_order(
    two: list[Instance], happens: Callable[[list[Instance]], None]
) -> None:
    with ordered():
        happens(two)


def test_pools_are_read_once_whatever_the_number_of_nodes(cluster: Cluster) -> None:
    raw = [factory.raw_node(name=f"node-{no}") for no in range(2, 7)]
    factory.add_nodes(cluster, *raw)
    with CaptureQueriesContext(connection) as asked:
        factory.add_nodes(cluster, *raw)
    pools = [one["sql"] for one in asked if 'FROM "provisioning_pool"' in one["sql"]]
    assert len(pools) == 1
