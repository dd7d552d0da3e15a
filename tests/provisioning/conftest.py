"""A farm of one cluster that nobody answers for, and an instance wished on it.

`farm` is the other kind: a sandbox process answers, and its pods really start and end.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.models import Cluster, Instance, InstanceType
from tests.factories import provisioning as factory
from tests.provisioning.agreeing import Api
from tests.provisioning.canned import serve
from tests.provisioning.farms import Farm
from tests.sandbox.processes import Process

FARM = Path(__file__).with_name("farm.yaml")


@pytest.fixture
def on_offer(db: None) -> None:
    """The product's own catalogue."""
    factory.load_catalog()


@pytest.fixture
def cluster(on_offer: None) -> Cluster:
    """One node, eight devices."""
    cluster = factory.add_cluster()
    factory.add_nodes(cluster, leases=[factory.raw_lease()])
    return cluster


@pytest.fixture
def instance(cluster: Cluster) -> Instance:
    """Wished for at noon."""
    return factory.launch()


@pytest.fixture
def api() -> Iterator[Api]:
    """An API server that can be told what to answer."""
    with serve() as canned:
        yield Api(canned)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One sandbox for all who need a cluster that answers; each test brings its own tenant."""
    process = Process(tmp_path_factory.mktemp("sandbox"), farm=FARM)
    process.start()
    yield process
    process.kill()


@pytest.fixture
def small(on_offer: None) -> None:
    """Only devices matter here, and a real node may be small."""
    make_small()


def make_small() -> None:
    """Let what is on offer want next to nothing besides its devices."""
    InstanceType.objects.update(cpu_millicores=10, memory_mib=16, storage_gib=1)


def reached(sandbox: Process) -> Path:
    """The kubeconfig of the sandbox's cluster, or of the one CLUSTER_KUBECONFIG names."""
    given = os.environ.get("CLUSTER_KUBECONFIG")
    return Path(given) if given else sandbox.folder / "east.kubeconfig"


@pytest.fixture
def farm(sandbox: Process, small: None) -> Iterator[Farm]:
    """A cluster that answers, listed once."""
    farm = Farm.on(reached(sandbox))
    yield farm
    farm.clear()


@pytest.fixture
def breakable(sandbox: Process, small: None) -> Iterator[Farm]:
    """The sandbox's cluster, whatever is set: this one may be broken."""
    farm = Farm.on(sandbox.folder / "east.kubeconfig")
    yield farm
    sandbox.lift()
    mend(sandbox)
    farm.clear()


def mend(sandbox: Process) -> None:
    """Every node answers, and admits what comes."""
    for node in ("node-1", "node-2"):
        path = f"/clusters/east/nodes/{node}"
        sandbox.operate("POST", f"{path}/return", {})
        left = sandbox.operate("POST", f"{path}/refuse-admission", {"count": 0})["refusals"]
        sandbox.operate("POST", f"{path}/refuse-admission", {"count": -left})
