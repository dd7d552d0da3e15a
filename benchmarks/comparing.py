"""The product beside a raw client of the same API server: one launch, and many.

On a sandbox, or on the cluster of `CLUSTER_KUBECONFIG`.  The raw client sends the same
container without asking anybody whether it may, and writes nothing down.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks._printing import percentile, print_result
from benchmarks._raw import Raw, wait_for
from benchmarks.launching import FARM, open_project, seconds_to_running
from demo.client import Person
from demo.serving import Farm, free_port
from portal.engines import environment, postgres

CLICKS = 30
LAUNCHES = {"sandbox": 500, "real": 50}
AT_ONCE = 50
P50_TARGET, P95_TARGET, RATE_TARGET = 1.5, 2.0, 0.5
WISH = {"instance_type": "rngd-1-dev", "image": "workspace"}
RECORDED = """
SELECT count(*), extract(epoch FROM max(created_at)) FROM provisioning_attempt WHERE uid IS NOT NULL
"""
ALIVE = "SELECT count(*) FROM provisioning_instance WHERE state <> 'terminated'"
WISHED = "SELECT extract(epoch FROM min(created_at)) FROM provisioning_instance"

Json = dict[str, Any]


def click_ratio() -> None:
    """Alternate a launch through the portal with one by hand, thirty times."""
    with _beside() as (farm, raw):
        alice, project = open_project(farm, devices=2)
        wish = {**WISH, "project": project}
        pairs = [(_click(alice, wish, raw), raw.click()) for _ in range(CLICKS + 1)][1:]
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    shares = {name: (percentile(ours, s), percentile(theirs, s))
              for name, s in (("p50", 0.5), ("p95", 0.95))}  # fmt: skip
    p95 = shares["p95"][0] / shares["p95"][1]
    print_result(
        "click_ratio",
        value=shares["p50"][0] / shares["p50"][1],
        unit="ratio at p50",
        target=P50_TARGET,
        p95_ratio=round(p95, 2),
        p95_target=P95_TARGET,
        seconds={name: [round(one, 3) for one in both] for name, both in shares.items()},
        launches=CLICKS,
        cluster=_kind(),
        load=_load(),
    )


def launch_ratio() -> None:
    """So many approved wishes until the last 201 is recorded, against eight threads of POSTs."""
    count = LAUNCHES[_kind()]
    with _beside() as (farm, raw):
        raw_rate = raw.rate(count)
        alice, project = open_project(farm, devices=count)
        for _ in range(0, count, AT_ONCE):
            alice.post("instance-requests", {**WISH, "project": project, "count": AT_ONCE})
        took = _recorded(farm, count)
    print_result(
        "launch_ratio",
        value=count / took / raw_rate,
        unit="ratio",
        target=RATE_TARGET,
        launches=count,
        per_second=round(count / took, 1),
        raw_per_second=round(raw_rate, 1),
        cluster=_kind(),
        load=_load(),
    )


def _click(alice: Person, wish: Json, raw: Raw) -> float:
    instance_id, seconds = seconds_to_running(alice, wish)
    alice.post(f"instances/{instance_id}/terminate")
    raw.hasten(instance_id)
    wait_for(lambda: alice.get(f"instances/{instance_id}")["state"] == "terminated")
    return seconds


def _recorded(farm: Farm, count: int) -> float:
    """Seconds from the first wish to the last pod that is written down as created."""
    wait_for(lambda: _ask(farm, RECORDED)[0] >= count)
    return float(_ask(farm, RECORDED)[1]) - float(_ask(farm, WISHED)[0])


def _ask(farm: Farm, query: str) -> tuple[Any, ...]:
    with contextlib.closing(psycopg2.connect(environment.load(farm.home)["DATABASE_URL"])) as base:
        with base.cursor() as cursor:
            cursor.execute(query)
            [row] = cursor.fetchall()
            return row


@contextlib.contextmanager
def _beside() -> Iterator[tuple[Farm, Raw]]:
    """A farm of the cluster, and the cluster itself."""
    home = Path(tempfile.mkdtemp(prefix="npu-farm-bench-"))
    given = os.environ.get("CLUSTER_KUBECONFIG")
    options = ["--kubeconfig", f"bench={given}"] if given else ["--sandbox-farm", str(FARM)]
    farm = Farm(
        home=home,
        options=[*options, "--web-processes", "1"],
        port=free_port(),
        output=home / "up.log",
    )
    try:
        raw = Raw(Path(given) if given else home / "sandbox" / "bench.kubeconfig")
        with raw.namespace():
            yield farm, raw
            if given:
                _clear(farm, raw)
    finally:
        farm.stop()
        shutil.rmtree(postgres.base_for(home), ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


def _clear(farm: Farm, raw: Raw) -> None:
    """Leave the cluster as it was: no pod of ours keeps a finalizer that nobody takes off."""
    alice = Person(address=farm.address, **farm.logins["tenant"])

    def all_are_gone() -> bool:
        for instance in alice.items("instances", desired="running"):
            alice.post(f"instances/{instance['id']}/terminate")
        return bool(_ask(farm, ALIVE)[0] == 0)

    wait_for(all_are_gone)
    raw.remove_namespaces(_ask(farm, "SELECT key FROM provisioning_installation")[0])


def _kind() -> str:
    return "real" if os.environ.get("CLUSTER_KUBECONFIG") else "sandbox"


def _load() -> list[float]:
    return [round(one, 1) for one in os.getloadavg()]


BENCHES = {"click_ratio": click_ratio, "launch_ratio": launch_ratio}
