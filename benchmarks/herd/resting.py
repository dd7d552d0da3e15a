"""What a farm costs that does nothing: worker, beat and watcher beside idle instances."""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks._printing import print_result
from benchmarks.herd.raising import Herd
from provisioning.models import Cluster

SECONDS = 150
WARM_UP_S = 45
TARGET = 0.05
PROGRAMS = {
    "worker": ["-m", "celery", "-A", "portal", "worker", "-Q", "reconcile,sweep",
               "--concurrency", "2", "--without-gossip", "--without-mingle"],
    "beat": ["-m", "celery", "-A", "portal", "beat", "--pidfile=", "--schedule"],
    "watcher": ["manage.py", "watch_cluster", "herd"],
}  # fmt: skip


def measure(herd: Herd) -> None:
    """Let everybody settle, then add up the processor time of two and a half minutes."""
    programs = {name: _start(command) for name, command in PROGRAMS.items()}
    try:
        shares, relists = _shares(herd, programs)
    finally:
        for program in programs.values():
            program.terminate()
        for program in programs.values():
            program.wait()
    print_result(
        "steady_cpu_share",
        value=sum(shares.values()),
        unit="share of one core",
        target=TARGET,
        instances=len(herd.attempts),
        seconds=SECONDS,
        full_lists_inside=relists,
        **{name: round(share, 4) for name, share in shares.items()},
        load=[round(one, 1) for one in os.getloadavg()],
    )


def _shares(
    herd: Herd, programs: dict[str, "subprocess.Popen[bytes]"]
) -> tuple[dict[str, float], int]:
    def listed_at() -> object:
        return Cluster.objects.get(pk=herd.cluster.pk).last_list_at

    time.sleep(WARM_UP_S)
    before, first, began = _spent(programs), listed_at(), time.monotonic()
    time.sleep(SECONDS)
    took = time.monotonic() - began
    after = _spent(programs)
    if any(program.poll() is not None for program in programs.values()):
        raise RuntimeError("a program ended while it was measured")
    return {name: (after[name] - before[name]) / took for name in after}, int(listed_at() != first)


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    schedule = [str(Path(os.environ["FARM_HOME"], "beat"))] if command[-1] == "--schedule" else []
    return subprocess.Popen(
        [sys.executable, *command, *schedule],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _spent(programs: dict[str, "subprocess.Popen[bytes]"]) -> dict[str, float]:
    """Processor seconds of every program and its children, past and present."""
    return {name: _seconds(program.pid) for name, program in programs.items()}


def _seconds(pid: int) -> float:
    # user, system, and the same of children that have ended
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(_seconds(int(child)) for child in children)
