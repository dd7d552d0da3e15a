"""A real cluster, and the commands that disturb it.

Nothing here is collected unless CLUSTER_KUBECONFIG names a cluster.  What stops a kubelet or
an API server differs from place to place, so it comes from the environment; a test whose
commands are not given is skipped and says which they are.

    CLUSTER_KUBECONFIG   the cluster, as administrator
    REAL_STOP_KUBELET    REAL_START_KUBELET   shell commands for the one node with devices
    REAL_STOP_API        REAL_START_API       shell commands for the API server
    REAL_PLUGIN          any value: this machine is the node and we are root, so the simulated
                         device plugin is run here (otherwise devices have to be there)
    REAL_REGISTRY        any value: this machine is the node, so a registry is run here
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provisioning.models import InstanceType, RuntimeImage
from tests.factories import provisioning as factory
from tests.provisioning.farms import Farm, wait_until
from tests.real.nodes import Plugin, devices_on

KUBECONFIG = os.environ.get("CLUSTER_KUBECONFIG", "")
collect_ignore_glob = [] if KUBECONFIG else ["test_*.py"]
IMAGE = os.environ.get("REAL_IMAGE", "registry.local/npu-workspace:1")

Disturb = Callable[[str], None]


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin | None]:
    """The simulated device plugin, where this machine is the node."""
    if "REAL_PLUGIN" not in os.environ:
        yield None
        return
    plugin = Plugin(tmp_path_factory.mktemp("plugin") / "unhealthy")
    plugin.start()
    yield plugin
    plugin.stop()


@pytest.fixture
def farm(db: None, plugin: Plugin | None) -> Iterator[Farm]:
    """An installation of our own on the cluster, cleared away afterwards."""
    factory.load_catalog()
    InstanceType.objects.update(cpu_millicores=10, memory_mib=16, storage_gib=1)
    RuntimeImage.objects.update(reference=IMAGE)
    farm = Farm.on(Path(KUBECONFIG))
    if plugin:
        plugin.start()
        wait_until(lambda: devices_on(farm) > 0, farm.watch, lambda: "no devices", seconds=60)
    yield farm
    farm.clear()


@pytest.fixture
def disturb() -> Disturb:
    """Run a command of the environment's; skip where it is not given."""

    def run(name: str) -> None:
        command = os.environ.get(name)
        if not command:
            pytest.skip(f"{name} is not given")
        subprocess.run(["sh", "-c", command], check=True, stdout=sys.stderr, timeout=120)

    return run
