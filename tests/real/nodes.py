"""What a test does to the node it runs on: a device plugin, and what the inventory says of it."""

import signal
import subprocess
import sys
from pathlib import Path

from django.db.models import Sum

from provisioning.models import NodeCapacity
from tests.provisioning.farms import Farm

ROOT = Path(__file__).parents[2]
RESOURCE = "furiosa.ai/rngd"


class Plugin:
    """The simulated device plugin as a process of ours."""

    def __init__(self, unhealthy: Path) -> None:
        self._unhealthy = unhealthy
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Offer eight devices, all of them well; one that runs already goes on."""
        self._unhealthy.write_text("")
        if self._process and self._process.poll() is None:
            return
        command = [sys.executable, "-m", "provisioning.sandbox.device_plugin"]
        command += ["--resource", RESOURCE, "--count", "8"]
        command += ["--unhealthy-file", str(self._unhealthy)]
        self._process = subprocess.Popen(command, cwd=ROOT)

    def stop(self) -> None:
        """Go away as a killed DaemonSet pod does."""
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=10)
            self._process = None

    def make_ill(self, *device_ids: str) -> None:
        """Report these devices as unhealthy, and all others as healthy."""
        self._unhealthy.write_text("\n".join(device_ids))


def devices_on(farm: Farm) -> int:
    """Count the healthy devices the inventory has of the cluster."""
    rows = NodeCapacity.objects.filter(
        node__cluster=farm.cluster, node__gone_at=None, pool__resource_name=RESOURCE
    )
    return int(rows.aggregate(total=Sum("allocatable"))["total"] or 0)
