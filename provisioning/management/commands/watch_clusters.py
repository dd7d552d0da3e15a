"""Keep one `watch_cluster` process for every active cluster.

A cluster added or paused in the portal gains or loses its watcher within seconds.
Production may instead run each watcher as a service of its own.
"""

import ctypes
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from provisioning.models import Cluster
from provisioning.models.clusters import ClusterState

LOOK_EVERY_S = 2.0
STOP_WITHIN_S = 10.0
_PR_SET_PDEATHSIG = 1

Watcher = subprocess.Popen[bytes]


class Command(BaseCommand):
    help = "Start a watcher for each active cluster, and start it again when it ends."

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, _stop)
        watchers: dict[str, Watcher] = {}
        try:
            while True:
                self._match(watchers)
                time.sleep(LOOK_EVERY_S)
        except KeyboardInterrupt:
            pass
        finally:
            _end(list(watchers.values()))

    def _match(self, watchers: dict[str, Watcher]) -> None:
        """Start what is missing, stop what is not wanted any more."""
        wanted = _watched_names()
        if wanted is None:
            return
        for name in set(watchers) - wanted:
            self.stdout.write(f"{name}: watcher stopped")
            _end([watchers.pop(name)])
        for name in wanted:
            if name not in watchers or watchers[name].poll() is not None:
                self.stdout.write(f"{name}: watcher started")
                watchers[name] = _start(name)


def _watched_names() -> set[str] | None:
    # A paused or draining cluster takes no new pods, yet what runs there is metered.
    clusters = Cluster.objects.exclude(state=ClusterState.REMOVED)
    try:
        return set(clusters.values_list("name", flat=True))
    except DatabaseError:
        connection.close()
        return None


def _start(name: str) -> Watcher:
    command = [sys.executable, "manage.py", "watch_cluster", name]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, preexec_fn=_die_with_parent)


def _die_with_parent() -> None:
    # A watcher whose parent was killed would hold the cluster's lock against its successor.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(watchers: list[Watcher]) -> None:
    for watcher in watchers:
        watcher.terminate()
    for watcher in watchers:
        try:
            watcher.wait(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            watcher.kill()


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
