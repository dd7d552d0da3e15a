"""Keep one `watch_cluster` process for every active cluster.

A cluster added in the portal gains its watcher within seconds, and one removed loses it.  A
watcher that ends is started again, later and later while it keeps ending at once.
Production may instead run each watcher as a service of its own.
"""

import ctypes
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from provisioning.models import Cluster
from provisioning.models.clusters import ClusterState

LOOK_EVERY_S = 2.0
STOP_WITHIN_S = 10.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
# Whoever has watched for so long has not failed to start.
SETTLED_S = 60.0
_PR_SET_PDEATHSIG = 1

Process = subprocess.Popen[bytes]


@dataclass
class Watcher:
    """One cluster's watcher: its process, and when the next one may begin."""

    process: Process | None = None
    failures: int = 0
    began: float = 0.0
    waits_until: float = 0.0

    def may_begin(self, now: float) -> bool:
        """Say whether there is none and it is time for one; notes an end it has not seen."""
        if self.process is not None and self.process.poll() is None:
            return False
        if self.process is not None:
            self.note_end(now)
        return now >= self.waits_until

    def note_end(self, now: float) -> None:
        """Put the next start off, by chance, so that many do not come back at once."""
        self.process = None
        self.failures = 1 if now - self.began >= SETTLED_S else self.failures + 1
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self.failures, 10))
        self.waits_until = now + random.uniform(0, longest)  # noqa: S311 - spreads, hides nothing

    def begin(self, name: str, now: float) -> None:
        """Start a process."""
        self.process, self.began = _start(name), now


class Command(BaseCommand):
    help = "Start a watcher for each active cluster, and start it again when it ends."
    requires_system_checks: list[str] = []

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
            _end(watchers.values())

    def _match(self, watchers: dict[str, Watcher]) -> None:
        """Start what is missing, stop what is not wanted any more."""
        wanted = _watched_names()
        if wanted is None:
            return
        for name in set(watchers) - wanted:
            self.stdout.write(f"{name}: watcher stopped")
            _end([watchers.pop(name)])
        for name in sorted(wanted):
            watcher = watchers.setdefault(name, Watcher())
            if watcher.may_begin(now := time.monotonic()):
                self.stdout.write(f"{name}: watcher started")
                watcher.begin(name, now)


def _watched_names() -> set[str] | None:
    # A paused or draining cluster takes no new pods, yet what runs there is metered.
    clusters = Cluster.objects.exclude(state=ClusterState.REMOVED)
    try:
        return set(clusters.values_list("name", flat=True))
    except DatabaseError:
        connection.close()
        return None


def _start(name: str) -> Process:
    command = [sys.executable, "manage.py", "watch_cluster", name]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, preexec_fn=_die_with_parent)


def _die_with_parent() -> None:
    # A watcher whose parent was killed would hold the cluster's lock against its successor.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(watchers: Iterable[Watcher]) -> None:
    ended = [watcher.process for watcher in watchers if watcher.process is not None]
    for process in ended:
        process.terminate()
    for process in ended:
        try:
            process.wait(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
