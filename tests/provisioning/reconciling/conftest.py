"""A cluster that agrees to what it is asked."""

import pytest

from provisioning.models import Cluster
from tests.factories import provisioning as factory
from tests.provisioning.agreeing import Api


@pytest.fixture
def cluster(api: Api, on_offer: None) -> Cluster:
    """One node, eight devices, and an API that answers."""
    cluster = factory.add_cluster(server=api.canned.url)
    factory.add_nodes(cluster)
    return cluster
