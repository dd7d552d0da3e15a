"""One watcher per cluster: begun, begun again ever later, ended with its cluster."""

import pytest

from provisioning.management.commands import watch_clusters
from provisioning.management.commands.watch_clusters import Command, Watcher
from provisioning.models import Cluster
from tests.factories import provisioning as factory


class Fake:
    """A process that runs until told otherwise."""

    def __init__(self) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self.code = -15

    def wait(self, timeout: float) -> int | None:
        return self.code


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def start(name: str) -> Fake:
        names.append(name)
        return Fake()

    monkeypatch.setattr(watch_clusters, "_start", start)
    return names


def test_added_and_removed_clusters_need_no_restart(db: None, started: list[str]) -> None:
    watchers: dict[str, Watcher] = {}
    command = Command()
    command._match(watchers)
    assert started == []
    for name in ("east", "west"):
        factory.add_cluster(name=name)
        command._match(watchers)
    assert started == ["east", "west"]

    east = watchers["east"].process
    for state, is_watched in (("paused", True), ("draining", True), ("removed", False)):
        Cluster.objects.filter(name="east").update(state=state)
        command._match(watchers)
        assert ("east" in watchers) is is_watched
    assert east is not None
    assert east.poll() == -15
    assert started == ["east", "west"]


def test_a_watcher_that_keeps_ending_is_begun_ever_later(
    started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_clusters.random, "uniform", lambda low, high: high)
    watcher, now, pauses = Watcher(), 100.0, []
    for _ in range(8):
        assert watcher.may_begin(now)
        watcher.begin("east", now)
        watcher.process.code = 1  # type: ignore[union-attr]
        assert not watcher.may_begin(now)
        pauses.append(watcher.waits_until - now)
        now = watcher.waits_until
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]


def test_one_that_had_watched_for_long_comes_back_soon(started: list[str]) -> None:
    watcher = Watcher(failures=9)
    watcher.begin("east", 0.0)
    watcher.process.code = 1  # type: ignore[union-attr]
    watcher.may_begin(watch_clusters.SETTLED_S)
    assert (watcher.failures, watcher.waits_until - watch_clusters.SETTLED_S <= 2.0) == (1, True)


def test_those_who_end_together_do_not_begin_together(started: list[str]) -> None:
    starts = set()
    for _ in range(20):
        watcher = Watcher()
        watcher.begin("east", 0.0)
        watcher.process.code = 1  # type: ignore[union-attr]
        watcher.may_begin(1.0)
        starts.add(watcher.waits_until)
    assert len(starts) > 10
