"""What a watcher believes, what it survives, and what ends it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import yaml
from django.db import OperationalError, connection

from billing.models import UsageInterval
from provisioning import (
    clusters,
    installation,
    observing,
    podstatus,
    releasing,
    relisting,
    watching,
)
from provisioning.allotting import open_attempt
from provisioning.attempts import confirm_attempt
from provisioning.cluster import asking, reviewing
from provisioning.cluster.sealing import unseal
from provisioning.cluster.watching import Change, ChangeKind
from provisioning.errors import ClusterUnreachable
from provisioning.models import Attempt, Cluster, Instance, ObservedPod
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.canned import Asked, Canned, serve

AT = NOON + timedelta(minutes=10)
END = NOON + timedelta(seconds=90)


@pytest.fixture
def canned() -> Iterator[Canned]:
    with serve() as canned:
        yield canned


@pytest.fixture
def cluster(canned: Canned, on_offer: None) -> Cluster:
    """One node, eight devices, and an API that says what a test has it say."""
    cluster = factory.add_cluster(server=canned.url)
    factory.add_nodes(cluster)
    return cluster


@pytest.fixture
def attempt(instance: Instance) -> Attempt:
    attempt = open_attempt(instance=instance, marks=installation.current(), at=NOON)
    confirm_attempt(attempt=attempt, uid=uuid4(), at=NOON)
    return Attempt.objects.select_related("instance", "cluster", "pool__family__vendor").get(
        pk=attempt.pk
    )


def serve_lists(canned: Canned, **items: list[dict[str, Any]]) -> None:
    """Answer each list with the items under the last word of its path."""

    def answer(asked: Asked) -> tuple[int, Any, dict[str, str]]:
        plural = asked.path.partition("?")[0].rpartition("/")[2]
        return 200, {"metadata": {"resourceVersion": "9"}, "items": items.get(plural, [])}, {}

    canned.answer = answer


def take(attempt: Attempt, raw: dict[str, Any], kind: ChangeKind = ChangeKind.MODIFIED) -> None:
    marks = installation.current()
    watching.take_change(attempt.cluster, Change(kind, raw), marks=marks, at=AT)


def test_a_node_whose_clock_runs_ahead_proves_nothing_of_the_future(
    attempt: Attempt, canned: Canned
) -> None:
    serve_lists(
        canned,
        pods=[factory.raw_pod(attempt, state=factory.running())],
        nodes=[factory.raw_node()],
        leases=[factory.raw_lease(renewed_at=AT + timedelta(days=3650))],
    )
    relisting.relist(attempt.cluster, clock=lambda: AT)
    assert UsageInterval.objects.with_watermark().get().watermark == AT


@pytest.mark.parametrize("answer", [{}, [], "ok", {"metadata": {}, "items": []}])
def test_what_is_no_list_does_not_end_what_runs(
    attempt: Attempt, canned: Canned, answer: object
) -> None:
    take(attempt, factory.raw_pod(attempt, state=factory.running()))
    canned.answer = lambda asked: (200, answer, {})
    with pytest.raises(ClusterUnreachable):
        list(asking.list_pods(attempt.cluster, selector="a=b"))
    with pytest.raises(ClusterUnreachable):
        relisting.relist(attempt.cluster, clock=lambda: AT)
    assert UsageInterval.objects.get().ended_at is None


@pytest.mark.parametrize("kind", [ChangeKind.ADDED, ChangeKind.DELETED])
def test_a_pod_that_cannot_be_written_does_not_stop_the_watch(
    attempt: Attempt, kind: ChangeKind
) -> None:
    take(attempt, factory.raw_pod(attempt, reason="x" * 500, state=factory.running()), kind)
    assert not ObservedPod.objects.exists()
    take(attempt, factory.raw_pod(attempt, state=factory.running()))
    assert UsageInterval.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_watcher_that_lost_its_session_ends(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock that makes it the only one went with the session."""

    def lose_session(*_: object, **__: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    raw = factory.raw_pod()
    page = relisting.Pass(
        cluster=cluster, marks=installation.current(), began_at=AT, nodes={}, known={}
    )
    change = Change(ChangeKind.ADDED, raw)
    monkeypatch.setattr(observing, "observe_together", lose_session)
    with pytest.raises(OperationalError):
        relisting._take_page(page, [raw], at=AT)
    connection.close()
    with pytest.raises(OperationalError):
        watching.take_change(cluster, change, marks=page.marks, at=AT)
    connection.close()


def test_replaced_credentials_are_used_from_the_next_list_on(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []

    def relist(cluster: Cluster, **_: object) -> str:
        used.append(unseal(cluster.kubeconfig_encrypted)["users"][0]["user"]["token"])
        raise watching.WatchLost

    monkeypatch.setattr(relisting, "relist", relist)
    monkeypatch.setattr(reviewing, "uid_of", lambda cluster, identity: cluster.uid)
    monkeypatch.setattr(clusters, "look_at", lambda cluster: factory.look())
    watcher = watching.Watcher(Cluster.objects.get(), clock=lambda: AT)
    config = unseal(cluster.kubeconfig_encrypted)
    config["users"][0]["user"] = {"token": "fresh"}
    clusters.replace_kubeconfig(cluster=cluster, kubeconfig=yaml.safe_dump(config), at=AT)
    with pytest.raises(watching.WatchLost):
        watcher.follow()
    assert used == ["fresh"]


def test_a_run_the_watcher_has_not_seen_keeps_its_finalizer(
    attempt: Attempt, canned: Canned
) -> None:
    pending = factory.raw_pod(attempt, phase="Pending", node="", deleting=True)
    take(attempt, pending)
    assert ObservedPod.objects.get().settlement == "never_ran"
    ended = factory.terminated(NOON, END)
    serve_lists(canned, pods=[factory.raw_pod(attempt, phase="Succeeded", state=ended)])
    found = releasing.find_held(cluster=attempt.cluster)
    assert (found.settled, len(found.unsettled)) == ([], 1)
    assert podstatus.instant_of(ended["terminated"]["finishedAt"]) == END
