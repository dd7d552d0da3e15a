"""Real workers and watchers, forked from the test so that each costs no start-up.

A Celery worker of one process, and the watch command; both with marks, both on the test's
database and broker.  What dies is started again, as the supervisor would.
"""

import ctypes
import faulthandler
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

# Imported here, so that a fork has them and a worker is there within a twentieth of a second.
import celery.apps.worker
import celery.bin.celery
import celery.concurrency.solo
import celery.worker.components
import celery.worker.consumer
import celery.worker.request
import celery.worker.strategy  # noqa: F401
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from portal.celery import app
from provisioning import deferring
from tests.provisioning.crashing import points

LEASE_SECONDS = 3.0
_PR_SET_PDEATHSIG = 1


class Kept:
    """One process that is started again whenever it dies."""

    def __init__(self, run: Callable[[], None], log: Path) -> None:
        self._run, self._log = run, log
        self.pid = 0
        self.deaths = 0

    def keep(self) -> None:
        if self.pid and os.waitpid(self.pid, os.WNOHANG)[0]:
            self.pid, self.deaths = 0, self.deaths + 1
        if not self.pid:
            self.pid = self._fork()

    def end(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def _fork(self) -> int:
        # A session shared over the fork would be closed by whoever ends first.
        connections.close_all()
        if pid := os.fork():
            return pid
        try:
            self._become()
        finally:
            traceback.print_exc()
            os._exit(1)

    def _become(self) -> None:
        # Nobody is left behind when the test itself is killed.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        settings.RECONCILE_LEASE_SECONDS = LEASE_SECONDS
        self._run()


def worker(*, plan: points.Plan, folder: Path) -> Kept:
    """A Celery worker that answers hints and sweeps."""

    (folder / "died").mkdir(exist_ok=True)
    app.loader.import_default_modules()

    def run() -> None:
        points.mark_worker(points.Reaper(plan, folder / "died"))
        options = ["--pool", "solo", "--queues", "reconcile,sweep", "--loglevel", "INFO"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        app.worker_main(["worker", *options, *quiet])

    return Kept(run, folder / "worker.log")


def watcher(*, plan: points.Plan, folder: Path, cluster: str) -> Kept:
    """`manage.py watch_cluster`."""
    (folder / "died").mkdir(exist_ok=True)

    def run() -> None:
        points.mark_watcher(points.Reaper(plan, folder / "died"))
        call_command("watch_cluster", cluster)

    return Kept(run, folder / "watcher.log")


def sweep() -> None:
    """Beat's part."""
    app.send_task(deferring.SWEEP)


def prepare_broker() -> None:
    """The folders messages lie in."""
    for name in ("queue", "control"):
        (settings.BROKER_DIR / name).mkdir(parents=True, exist_ok=True)
