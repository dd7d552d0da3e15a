"""Workers and watchers are killed at every step of a launch and a stop.

One instance per point, all at once; whatever dies is started again.  Afterwards: one pod
ever for each, none left, and every second that ran is in the ledger.
"""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from billing.models import QuarantinedFact
from provisioning import auditing, installation, lifecycle, relisting, stopping
from provisioning.cluster import watching
from provisioning.models import Allocation, Attempt, Cluster, Instance, Transition
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.provisioning.crashing import processes
from tests.provisioning.crashing.points import ANY, Plan, all_points, watcher_points, worker_points
from tests.provisioning.crashing.processes import Kept
from tests.provisioning.farms import kept, told, wait_until
from tests.sandbox.processes import Process

PATIENCE = 150
INSTANCES = 12


class Running:
    """The processes of a farm, kept running by the test."""

    def __init__(self, *processes: Kept) -> None:
        self._processes = processes
        self._swept = 0.0

    def keep(self) -> None:
        for process in self._processes:
            process.keep()
        if time.monotonic() - self._swept > 0.5:
            self._swept = time.monotonic()
            processes.sweep()

    def until_all(self, state: State) -> None:
        def left() -> int:
            return Instance.objects.exclude(state=state).count()

        def which() -> str:
            rows = Instance.objects.exclude(state=state).values_list("pk", "state", "reason")
            return str(list(rows))

        wait_until(lambda: left() == 0, self.keep, which, seconds=PATIENCE)


@pytest.fixture
def cluster(sandbox: Process, transactional_db: None) -> Cluster:
    factory.load_catalog()
    return factory.reach_cluster((sandbox.folder / "east.kubeconfig").read_text())


@pytest.fixture
def plan(cluster: Cluster) -> Plan:
    """Instances, each in a tenant of its own, and the points at which somebody dies over each.

    The points of one step go to different instances: all of a step's deaths are first deaths.
    """
    processes.prepare_broker()
    instances = [factory.launch(at=timezone.now(), name=f"x{n}") for n in range(INSTANCES)]
    found: Plan = {str(instance.pk): [] for instance in instances}
    for points, point in zip(itertools.cycle(found.values()), worker_points(), strict=False):
        points.append(point)
    # Which changes a watcher sees one by one depends on when it was away.
    return {**found, ANY: list(watcher_points())}


@pytest.fixture
def running(cluster: Cluster, plan: Plan, tmp_path: Path) -> Iterator[Running]:
    worker = processes.worker(plan=plan, folder=tmp_path)
    watcher = processes.watcher(plan=plan, folder=tmp_path, cluster=cluster.name)
    try:
        yield Running(worker, watcher)
    finally:
        worker.end()
        watcher.end()


def history(cluster: Cluster, since: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Every pod there ever was by instance and UID, as the API server remembers it."""
    marks = installation.current()
    found: dict[str, dict[str, dict[str, Any]]] = {}
    changes = watching.watch_pods(
        cluster, selector=marks.selector, resource_version=since, seconds=1
    )
    for change in changes:
        if change.kind is not watching.ChangeKind.BOOKMARK:
            metadata = change.object["metadata"]
            instance_id = metadata["labels"][marks.label("instance")]
            found.setdefault(instance_id, {})[metadata["uid"]] = change.object
    return found


@pytest.mark.processes
def test_a_death_at_any_point_costs_neither_a_pod_nor_a_second(
    cluster: Cluster, plan: Plan, running: Running, tmp_path: Path
) -> None:
    began = relisting.relist(cluster, clock=timezone.now)
    running.until_all(State.RUNNING)
    time.sleep(1.1)
    for instance in Instance.objects.all():
        stopping.stop_instance(instance=instance, at=timezone.now())
    running.until_all(State.STOPPED)

    died = {path.read_text() for path in (tmp_path / "died").iterdir()}
    print(f"\n{len(died)} deaths")
    for point in all_points():
        print(f"  {'killed at' if point in died else 'NOT REACHED'}  {point}")
    assert died == set(all_points())

    pods = history(cluster, began)
    for instance in Instance.objects.all():
        ever = list(pods[str(instance.pk)].values())
        assert len(ever) == 1, [pod["metadata"]["name"] for pod in ever]
        assert kept(instance) == [(*told(ever[0]), "exact")], plan[str(instance.pk)]
    assert not Attempt.objects.exclude(state="gone").exists()
    assert not Allocation.objects.filter(ended_at=None).exists()
    assert not QuarantinedFact.objects.exists()
    assert auditing.audit_usage() == []
    _moves_are_legal()


def _moves_are_legal() -> None:
    for instance in Instance.objects.all():
        rows = list(Transition.objects.filter(instance=instance).order_by("id"))
        for before, after in itertools.pairwise(rows):
            assert before.to_state == after.from_state
            assert lifecycle.is_legal(from_state=State(after.from_state), to=State(after.to_state))
        assert [row.to_state for row in rows].count("provisioning") == 1
