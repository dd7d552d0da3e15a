"""A resource name is read from the node, and the vendor settles what it leaves open."""

import pytest

from provisioning.models import Family, NodeCapacity, Pool
from provisioning.vendors import VENDORS, NodeOffer
from tests.factories import provisioning as factory

GENERIC = "rebellions.ai/npu"
BOTH = ("rebellions-atom", "rebellions-rebel")


@pytest.mark.parametrize(
    ("labels", "family"),
    [
        ({"rebellions.ai/npu.family": "ATOM"}, "rebellions-atom"),
        ({"rebellions.ai/npu.family": "REBEL"}, "rebellions-rebel"),
        ({"rebellions.ai/npu.product": "RBLN-CA25"}, "rebellions-atom"),
        ({"rebellions.ai/npu.product": "RBLN-CR03"}, "rebellions-rebel"),
        ({}, None),
    ],
)
def test_a_shared_name_is_told_apart_by_labels(labels: dict[str, str], family: str | None) -> None:
    offer = NodeOffer(resource_name=GENERIC, labels=labels, families=BOTH)
    assert VENDORS["rebellions"].family_of(offer) == family


def test_labels_of_a_family_we_do_not_sell_are_not_ignored() -> None:
    labels = {"rebellions.ai/npu.family": "REBEL"}
    offer = NodeOffer(resource_name=GENERIC, labels=labels, families=("rebellions-atom",))
    assert VENDORS["rebellions"].family_of(offer) is None


def test_a_name_of_one_family_needs_no_labels() -> None:
    offer = NodeOffer(resource_name="rebellions.ai/ATOM", labels={}, families=("rebellions-atom",))
    assert VENDORS["rebellions"].family_of(offer) == "rebellions-atom"


def test_a_pod_on_a_shared_name_is_kept_on_its_family() -> None:
    selector = VENDORS["rebellions"].node_selector(family="rebellions-atom", resource_name=GENERIC)
    assert selector == {"rebellions.ai/npu.family": "ATOM"}
    assert not VENDORS["furiosa"].node_selector(family="furiosa-rngd", resource_name=factory.RNGD)


def test_health_readings_that_point_opposite_ways_mean_the_same() -> None:
    furiosa, rebellions = VENDORS["furiosa"].health, VENDORS["rebellions"].health
    assert furiosa is not None
    assert rebellions is not None
    assert furiosa.is_good(1)
    assert rebellions.is_good(0)
    assert not rebellions.is_good(1)


def test_pools_follow_what_the_nodes_offer(on_offer: None) -> None:
    cluster = factory.add_cluster()
    labels = {"rebellions.ai/npu.family": "ATOM"}
    factory.add_nodes(
        cluster,
        factory.raw_node(name="old", resource="rebellions.ai/ATOM", devices=4),
        factory.raw_node(name="new", resource=GENERIC, devices=8, healthy=7, labels=labels),
        factory.raw_node(name="strange", resource="example.com/thing", devices=2),
    )
    atom = Family.objects.get(slug="rebellions-atom")
    names = Pool.objects.filter(family=atom).values_list("resource_name", flat=True)
    assert set(names) == {"rebellions.ai/ATOM", GENERIC}
    new = NodeCapacity.objects.get(node__name="new")
    assert (new.capacity, new.allocatable) == (8, 7)
    assert not Pool.objects.filter(resource_name="example.com/thing").exists()


def test_a_node_registered_again_is_another_life(on_offer: None) -> None:
    cluster = factory.add_cluster()
    first = factory.add_nodes(cluster, factory.raw_node())["node-1"]
    second = factory.add_nodes(cluster, factory.raw_node())["node-1"]
    first.refresh_from_db()
    assert first.pk != second.pk
    assert first.gone_at is not None
    assert NodeCapacity.objects.filter(node__gone_at__isnull=True).count() == 1


def test_a_resource_a_node_stops_offering_is_no_capacity(on_offer: None) -> None:
    cluster = factory.add_cluster()
    node = factory.raw_node()
    factory.add_nodes(cluster, node)
    del node["status"]["capacity"][factory.RNGD], node["status"]["allocatable"][factory.RNGD]
    factory.add_nodes(cluster, node)
    assert not NodeCapacity.objects.exists()
