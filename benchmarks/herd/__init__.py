"""Benches of reconcile and watch beside thousands of instances that run.

`raising` makes them, on a sandbox and a database of their own; each bench is a process of
its own, since Django is set up for one database.
"""

import subprocess
import sys
from collections.abc import Callable

SIZES = {"relisting": 10_000, "resting": 10_000, "watching": 2_000}


def _bench(module: str) -> Callable[[], None]:
    def run() -> None:
        command = [sys.executable, "-m", "benchmarks.herd", str(SIZES[module]), module]
        subprocess.run(command, check=True)

    return run


BENCHES = {
    "relist_ratio": _bench("relisting"),
    "steady_cpu_share": _bench("resting"),
    "watch_to_db_p95_s": _bench("watching"),
}
