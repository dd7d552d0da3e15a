"""Rows 1 to 5: the cluster does not answer, or nobody knows what came of a create."""

import time
from datetime import timedelta
from uuid import UUID

import pytest

from provisioning.cluster import watching as following
from provisioning.errors import ClusterUnreachable
from provisioning.models import Attempt
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.provisioning.agreeing import UID
from tests.provisioning.canned import Asked
from tests.provisioning.fault_table.table import SECOND, Table, refused


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
