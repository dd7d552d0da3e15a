"""A farm of one cluster that nobody answers for, and an instance wished on it.

`farm` is the other kind: a sandbox process answers, and its pods really start and end.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.models import Cluster, Instance, InstanceType
from tests.factories import provisioning as factory
from tests.provisioning.farms import Farm
from tests.provisioning.sandboxes import running_sandbox


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


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One sandbox for all who need a cluster that answers; each test brings its own tenant."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as folder:
        yield folder


@pytest.fixture
def farm(sandbox: Path, on_offer: None) -> Iterator[Farm]:
    """A cluster that answers, listed once: the sandbox's, or the one CLUSTER_KUBECONFIG names."""
    given = os.environ.get("CLUSTER_KUBECONFIG")
    # Only devices matter here, and a real node may be small.
    InstanceType.objects.update(cpu_millicores=10, memory_mib=16, storage_gib=1)
    farm = Farm.on(Path(given) if given else sandbox / "east.kubeconfig")
    yield farm
    farm.clear()
