"""A sandbox of our own: a real process that serves a real API on loopback."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.serving import free_port

ROOT = Path(__file__).parents[2]
FARM = Path(__file__).with_name("farm.yaml")
START_SECONDS = 20


@contextmanager
def running_sandbox(folder: Path, farm: Path = FARM) -> Iterator[Path]:
    """Start it; hands out the folder its kubeconfigs are in."""
    command = [sys.executable, "-m", "provisioning.sandbox", "--port", str(free_port())]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--state", str(folder), "--farm", str(farm)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        try:
            _wait(process, folder)
            yield folder
        finally:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (folder / "ready").exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, "the sandbox did not start"
        time.sleep(0.02)
