"""`python -m tests.sandbox.scale [--pods N]`: how a sandbox bears many pods, in a line of JSON.

Starts a sandbox of its own, creates the pods, and measures: creates a second, a list in
pages, how long until every one of ten watches has told of a change, memory, and the share
of one core it takes while nothing happens.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import urllib3

from tests.sandbox.processes import PODS, Process, wait_for

_NODE_PODS = 1000
_THREADS = 8
_WATCHES = 10
_IDLE_SECONDS = 10.0
_TICKS = 100.0
FARM = """
delays: {{schedule: 0.0, kubelet_sync: 0.0, container_start: 0.0, service_account: 0.0}}
images: [{{name: registry.local/npu-workspace:1, pull_seconds: 0.0, stop_seconds: 0.0}}]
clusters:
  - name: quick
    nodes: [{{name: n, count: {nodes}, pods: {each}, cpu: "2000", memory: 8000Gi}}]
"""


def measure(count: int, folder: Path) -> dict[str, float]:
    """Everything that is measured with so many pods."""
    farm = folder / "farm.yaml"
    nodes = max(2, -(-count // _NODE_PODS) + 1)
    farm.write_text(FARM.format(nodes=nodes, each=_NODE_PODS + 100))
    process = Process(folder / "state", farm=farm)
    process.start()
    try:
        return _measured(process, count)
    finally:
        process.kill()


def _measured(process: Process, count: int) -> dict[str, float]:
    created = _create(process, count)
    settled = _settle(process, count)
    pages, listed = _list(process, count)
    spread = _fan_out(process)
    return {
        "pods": count,
        "creates_per_s": round(count / created),
        "all_running_s": round(created + settled, 2),
        "list_pages": pages,
        "list_s": round(listed, 2),
        "fan_out_ms": round(spread * 1000, 1),
        "memory_mib": round(_memory(process) / 1024**2),
        "idle_cpu_share": round(_idle_share(process), 4),
    }


def _create(process: Process, count: int) -> float:
    began = time.monotonic()

    def work(first: int) -> None:
        for number in range(first, count, _THREADS):
            process.run(f"p-{number}", count=0)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


def _settle(process: Process, count: int) -> float:
    began = time.monotonic()
    query = {"limit": 1, "fieldSelector": "status.phase!=Running"}
    while process.ask("GET", PODS, **query).body["items"]:
        assert time.monotonic() - began < count / 50 + 20, "the pods do not all run"
        time.sleep(0.1)
    return time.monotonic() - began


def _list(process: Process, count: int) -> tuple[int, float]:
    began = time.monotonic()
    pages, seen, onward = 0, 0, ""
    while pages == 0 or onward:
        body = process.ask("GET", PODS, limit=500, **({"continue": onward} if onward else {})).body
        pages, seen, onward = pages + 1, seen + len(body["items"]), body["metadata"].get("continue")
    assert seen == count
    return pages, time.monotonic() - began


def _fan_out(process: Process) -> float:
    version = process.ask("GET", PODS, limit=1).body["metadata"]["resourceVersion"]
    heard: list[float] = []

    def first_line() -> None:
        url = f"{process.address}/clusters/quick{PODS}?watch=true&resourceVersion={version}"
        headers = {"Authorization": f"Bearer {process.token('quick')}"}
        response = urllib3.PoolManager().request(
            "GET", f"{url}&timeoutSeconds=20", headers=headers, preload_content=False
        )
        assert next(iter(response))
        heard.append(time.monotonic())
        response.close()

    threads = [threading.Thread(target=first_line) for _ in range(_WATCHES)]
    for thread in threads:
        thread.start()
    wait_for(
        lambda: len(process.operate("GET", "/state")["clusters"]["quick"]["watches"]) == _WATCHES
    )
    began = time.monotonic()
    process.ask("PATCH", f"{PODS}/p-0", {"metadata": {"labels": {"seen": "true"}}})
    for thread in threads:
        thread.join()
    return max(heard) - began


def _memory(process: Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    line = next(one for one in status.splitlines() if one.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def _idle_share(process: Process) -> float:
    time.sleep(2)
    before = _ticks(process)
    time.sleep(_IDLE_SECONDS)
    return (_ticks(process) - before) / _TICKS / _IDLE_SECONDS


def _ticks(process: Process) -> int:
    fields = (
        Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    )
    return int(fields[11]) + int(fields[12])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.scale", description=__doc__)
    parser.add_argument("--pods", type=int, default=10_000)
    count = parser.parse_args().pods
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(json.dumps(measure(count, Path(folder))) + "\n")


if __name__ == "__main__":
    main()
