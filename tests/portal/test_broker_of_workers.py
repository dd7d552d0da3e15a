"""A worker on the embedded broker: woken at once, and not for ever stopped by a killed child."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
CHILDREN = 2


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The process id of a worker with two children."""
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    command = ["celery", "-A", "tests.portal.brokered", "worker", "--concurrency", str(CHILDREN)]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--without-gossip", "--without-mingle"],
        cwd=ROOT,
        env={**os.environ, "BROKERED_FOLDER": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield process.pid
    process.terminate()
    try:
        process.wait(timeout=PATIENCE)
    finally:
        process.kill()


def ask(folder: Path, name: str) -> None:
    send = "import sys; from tests.portal.brokered import touch; touch.delay(sys.argv[1])"
    environment = {**os.environ, "BROKERED_FOLDER": str(folder)}
    subprocess.run([sys.executable, "-c", send, name], cwd=ROOT, env=environment, check=True)


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s"
        time.sleep(0.02)


def children_of(pid: int) -> set[int]:
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.mark.processes
def test_a_worker_works_on_after_its_idle_children_were_killed(worker: int, tmp_path: Path) -> None:
    ask(tmp_path, "first")
    wait_for((tmp_path / "first").exists)
    killed = children_of(worker)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(children_of(worker) - killed) == CHILDREN)
    ask(tmp_path, "second")
    wait_for((tmp_path / "second").exists)
