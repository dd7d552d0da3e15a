"""A worker that no longer runs what it is sent ends by itself; a busy one does not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes
DEAF_AFTER_S = 6.0
CELERY = (sys.executable, "-m", "celery", "-A", "portal")


@dataclass
class Worker:
    process: "subprocess.Popen[bytes]"
    pulse: Path

    def beats(self) -> float:
        return self.pulse.stat().st_mtime if self.pulse.exists() else 0.0

    def children(self) -> list[int]:
        folder = Path(f"/proc/{self.process.pid}/task")
        return [
            int(pid) for task in folder.iterdir() for pid in (task / "children").read_text().split()
        ]


@pytest.fixture
def worker(tmp_path: Path, django_db_setup: None) -> Iterator[Worker]:
    for folder in ("broker/queue", "broker/control"):
        (tmp_path / folder).mkdir(parents=True)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*CELERY, "worker", "-n", "ear@here", "-Q", "portal", "--concurrency", "1"],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "portal.settings.base",
                "FARM_HOME": str(tmp_path),
                "WORKER_DEAF_AFTER_S": str(DEAF_AFTER_S),
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    worker = Worker(process, tmp_path / "pulse" / "ear@here")
    yield worker
    for pid in [*(worker.children() if process.poll() is None else []), process.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def wait_until(is_so: Callable[[], bool], *, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_deaf_worker_ends_and_a_hearing_one_goes_on(worker: Worker) -> None:
    wait_until(lambda: worker.beats() > 0)
    first = worker.beats()
    # Beaten through broker and pool, for longer than a deaf one would have lived.
    wait_until(lambda: worker.beats() > first + DEAF_AFTER_S)
    assert worker.process.poll() is None

    (child,) = worker.children()
    os.kill(child, signal.SIGSTOP)
    wait_until(lambda: worker.process.poll() is not None)
    assert worker.process.returncode == 70
    os.kill(child, signal.SIGKILL)
