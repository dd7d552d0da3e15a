"""From a click to `running` in the database, on a sandbox whose kubelets take no time."""

import os
import shutil
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks._printing import percentile, print_result
from demo.client import Person
from demo.serving import Farm, free_port
from portal.engines import postgres

LAUNCHES = 200
TARGET_S = 1.0
PATIENCE_S = 30.0
FARM = Path(__file__).with_name("farm.yaml")


def click_to_running() -> None:
    """Launch one instance after another over HTTP; each click waits for the one before."""
    home = Path(tempfile.mkdtemp(prefix="npu-farm-bench-"))
    farm = Farm(
        home=home,
        options=["--sandbox-farm", str(FARM), "--web-processes", "1"],
        port=free_port(),
        output=home / "up.log",
    )
    try:
        took = _launch_all(farm)
    finally:
        farm.stop()
        shutil.rmtree(postgres.base_for(home), ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
    print_result(
        "click_to_running_p95_s",
        value=percentile(took, 0.95),
        unit="s",
        target=TARGET_S,
        p50_s=round(percentile(took, 0.5), 3),
        max_s=round(max(took), 3),
        launches=len(took),
        load=[round(one, 1) for one in os.getloadavg()],
    )


def _launch_all(farm: Farm) -> list[float]:
    alice, project = open_project(farm, devices=LAUNCHES + 1)
    wish = {"project": project, "instance_type": "rngd-1-dev", "image": "workspace"}
    # The first one makes the tenant's namespace and is not counted.
    return [seconds_to_running(alice, wish)[1] for _ in range(LAUNCHES + 1)][1:]


def open_project(farm: Farm, *, devices: int) -> tuple[Person, int]:
    """Alice, and a project of hers that may hold so many devices."""
    alice = Person(address=farm.address, **farm.logins["tenant"])
    bob = Person(address=farm.address, **farm.logins["approver"])
    project: int = alice.items("projects", tenant=alice.get("me")["tenants"][0]["slug"])[0]["id"]
    wish = {"project": project, "family": "furiosa-rngd", "devices": devices}
    asked = alice.post("quota-requests", {**wish, "justification": "bench"})
    bob.post(f"quota-requests/{asked['id']}/approve")
    return alice, project


def seconds_to_running(alice: Person, wish: dict[str, Any]) -> tuple[str, float]:
    """Click, and say which instance ran after how long."""
    clicked_at = time.time()
    instance_id: str = alice.post("instance-requests", wish)["instances"][0]
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for change in alice.items_of(f"instances/{instance_id}/timeline"):
            if change["to_state"] == "running":
                return instance_id, datetime.fromisoformat(change["at"]).timestamp() - clicked_at
        time.sleep(0.05)
    raise TimeoutError(f"{instance_id} was not running after {PATIENCE_S} s")


BENCHES = {"click_to_running_p95_s": click_to_running}
