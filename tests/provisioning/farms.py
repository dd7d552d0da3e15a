"""A farm moved by hand: the test is worker and watcher, and says when each does its part."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from billing.models import Account, UsageInterval
from provisioning import installation, reconciling, relisting
from provisioning.cluster import asking, connections, requests
from provisioning.cluster.connections import Connection
from provisioning.cluster.errors import NotFound
from provisioning.cluster.requests import Request
from provisioning.models import Attempt, Cluster, Instance
from provisioning.states import State
from tests.factories import provisioning as factory

PATIENCE = 30.0
# What real containers understand, and the sandbox's too.
ON_AND_ON = ("sh", "-c", "trap 'exit 143' TERM; while true; do sleep 0.1; done")
ONE_SECOND = ("sh", "-c", "sleep 1; exit 0")
FAILS = ("sh", "-c", "exit 3")


@dataclass
class Farm:
    """One cluster that answers."""

    cluster: Cluster
    account: Account = field(default_factory=factory.open_account)

    @classmethod
    def on(cls, kubeconfig: Path) -> "Farm":
        cluster = factory.reach_cluster(kubeconfig.read_text())
        farm = cls(cluster)
        farm.watch()
        return farm

    def launch(self, **words: Any) -> Instance:
        words = {"command": ON_AND_ON, **words}
        return factory.launch(account=self.account, at=timezone.now(), **words)

    def clear(self) -> None:
        """Leave nothing of this test's installation on the cluster."""
        selector = installation.current().selector
        connection = connections.connection_to(self.cluster)
        for path in ("/api/v1/pods", "/api/v1/namespaces"):
            query = (("labelSelector", selector),)
            listed = requests.ask(connection, Request(method="GET", path=path, query=query))
            for item in listed["items"]:
                _remove(connection, item["metadata"])

    def work(self) -> int:
        """The worker's part."""
        return reconciling.drain_due(clock=timezone.now)

    def watch(self) -> None:
        """The watcher's part."""
        relisting.relist(self.cluster, clock=timezone.now)
        self.cluster.refresh_from_db()

    def until(self, instance: Instance, *states: State, watching: bool = True) -> Instance:
        """Everybody does their part until the instance is there."""

        def is_there() -> bool:
            instance.refresh_from_db()
            return instance.state in states

        def part() -> None:
            self.work()
            if watching:
                self.watch()

        wait_until(is_there, part, lambda: f"{instance.state} {instance.reason} {instance.message}")
        return instance

    def pods_of(self, instance: Instance) -> list[dict[str, Any]]:
        """What the API itself says, past everything of ours."""
        marks = installation.current()
        selector = f"{marks.selector},{marks.label('instance')}={instance.pk}"
        return list(asking.list_pods(self.cluster, selector=selector))

    def until_pod(
        self, instance: Instance, is_so: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """Wait for the cluster alone."""
        wait_until(
            lambda: any(is_so(pod) for pod in self.pods_of(instance)),
            what=lambda: str([pod["status"] for pod in self.pods_of(instance)]),
        )
        return next(pod for pod in self.pods_of(instance) if is_so(pod))

    def delete_by_hand(self, instance: Instance) -> None:
        """Somebody with kubectl."""
        for pod in self.pods_of(instance):
            metadata = pod["metadata"]
            asking.delete_pod(
                self.cluster,
                namespace=metadata["namespace"],
                name=metadata["name"],
                uid=metadata["uid"],
            )


def _remove(connection: Connection, metadata: dict[str, Any]) -> None:
    inside = (
        f"/namespaces/{metadata['namespace']}/pods" if "namespace" in metadata else "/namespaces"
    )
    path = f"/api/v1{inside}/{metadata['name']}"
    with suppress(NotFound):
        bare = {"metadata": {"finalizers": None}}
        requests.ask(
            connection,
            Request(method="PATCH", path=path, body=bare, content_type=requests.MERGE_PATCH),
        )
        at_once = (("gracePeriodSeconds", "0"),) if "namespace" in metadata else ()
        requests.ask(connection, Request(method="DELETE", path=path, query=at_once))


def runs(pod: dict[str, Any]) -> bool:
    return bool(pod["status"].get("phase") == "Running")


def is_over(pod: dict[str, Any]) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def told(pod: dict[str, Any]) -> tuple[datetime, datetime]:
    """From when to when the container itself says it ran."""
    said = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    started, finished = (datetime.fromisoformat(said[key]) for key in ("startedAt", "finishedAt"))
    return started, finished


def kept(instance: Instance) -> list[tuple[datetime, datetime | None, str | None]]:
    """What the ledger has of an instance."""
    rows = UsageInterval.objects.filter(resource_ref=str(instance.pk)).order_by("started_at")
    return [(row.started_at, row.ended_at, row.end_quality) for row in rows]


def live_attempts(instance: Instance) -> int:
    return Attempt.objects.filter(instance=instance).exclude(state="gone").count()


def wait_until(
    is_so: Callable[[], bool],
    part: Callable[[], object] = lambda: None,
    what: Callable[[], str] = lambda: "",
    seconds: float = PATIENCE,
) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, what()
        part()
        time.sleep(0.02)


def second() -> None:
    """Usage is counted in whole seconds."""
    time.sleep(1.1)
