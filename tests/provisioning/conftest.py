"""A farm of one cluster that nobody answers for, and an instance wished on it."""

import pytest

from provisioning.models import Cluster, Instance
from tests.factories import provisioning as factory


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
