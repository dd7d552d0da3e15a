"""The table every row begins at."""

from uuid import uuid4

import pytest

from tests.factories import provisioning as factory
from tests.provisioning.agreeing import Api
from tests.provisioning.fault_table.table import Table


@pytest.fixture
def table(api: Api, on_offer: None) -> Table:
    """Each pod that is created gets a UID of its own, unless a test answers otherwise."""
    api.on_post = lambda asked: (201, {"metadata": {"uid": str(uuid4())}}, {})
    cluster = factory.add_cluster(server=api.canned.url)
    nodes = [factory.raw_node(), factory.raw_node(name="node-2")]
    factory.add_nodes(
        cluster, *nodes, leases=[factory.raw_lease(), factory.raw_lease(name="node-2")]
    )
    return Table(api, cluster, factory.launch())
