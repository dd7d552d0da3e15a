"""What a node offers is somebody's once, nobody's twice, and never sold on a guess."""

from pathlib import Path

import pytest
import yaml

from provisioning import catalog, offering, warning
from provisioning.errors import IllegalSpec
from provisioning.models import (
    AllocationMode,
    Family,
    InstanceType,
    NodeCapacity,
    NodeWarning,
    Pool,
)
from provisioning.vendors import constraints, habits_of
from tests.factories import provisioning as factory

pytestmark = pytest.mark.django_db

ATOM = {"rebellions.ai/npu.family": "ATOM"}


@pytest.fixture
def families(on_offer: None) -> list[Family]:
    return list(Family.objects.select_related("vendor"))


def sort(
    families: list[Family],
    labels: dict[str, str] | None = None,
    healthy: dict[str, int] | None = None,
    **capacity: int,
) -> offering.Sorted:
    named = {name.replace("__", "/").replace("_", "."): count for name, count in capacity.items()}
    return offering.sort_out(
        labels=labels or {},
        capacity={"cpu": "64", "hugepages-1Gi": "0", **{k: str(v) for k, v in named.items()}},
        allocatable={name: str((healthy or named)[name]) for name in named},
        families=families,
    )


def test_unknown_names_are_told_and_not_sold(families: list[Family]) -> None:
    found = sort(families, example_com__thing=3, furiosa_ai__rngd=8)
    assert [offer.resource_name for offer in found.offers] == ["furiosa.ai/rngd"]
    assert found.unsold == {"example.com/thing": (3, 3)}
    assert [(odd.code, odd.subject) for odd in found.oddities] == [
        (offering.UNKNOWN, "example.com/thing")
    ]


def test_a_known_name_of_another_unit_is_not_sold_and_says_why(families: list[Family]) -> None:
    found = offering.sort_out(
        labels={},
        capacity={"furiosa.ai/rngd-2core.12gb": "32"},
        allocatable={"furiosa.ai/rngd-2core.12gb": "32"},
        families=families,
    )
    assert not found.offers
    assert [odd.code for odd in found.oddities] == [offering.NOT_SOLD]
    assert "quarter of a card" in found.oddities[0].message


def test_cores_of_chips_are_not_counted_beside_the_chips(families: list[Family]) -> None:
    names = {"aws.amazon.com/neuron": "16", "aws.amazon.com/neuroncore": "32"}
    found = offering.sort_out(labels={}, capacity=names, allocatable=names, families=families)
    assert [(o.resource_name, o.capacity) for o in found.offers] == [("aws.amazon.com/neuron", 16)]


def test_two_names_of_one_familys_devices_are_counted_once(families: list[Family]) -> None:
    found = sort(families, ATOM, rebellions_ai__npu=8, rebellions_ai__ATOM=8)
    assert [offer.capacity for offer in found.offers] == [8]
    assert [odd.code for odd in found.oddities] == [offering.TWO_NAMES]


def test_the_name_a_plugin_left_behind_is_not_the_one_counted(families: list[Family]) -> None:
    healthy = {"rebellions.ai/npu": 8, "rebellions.ai/ATOM": 0}
    found = sort(families, ATOM, healthy, rebellions_ai__npu=8, rebellions_ai__ATOM=8)
    assert [offer.resource_name for offer in found.offers] == ["rebellions.ai/npu"]


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {**ATOM, "rebellions.ai/npu.product": "RBLN-CR03"},
        {**ATOM, "rebellions.ai/npu.count": "12"},
    ],
)
def test_a_mixed_or_unlabelled_node_is_nobodys(
    families: list[Family], labels: dict[str, str]
) -> None:
    found = sort(families, labels, rebellions_ai__npu=8)
    assert not found.offers
    assert [odd.code for odd in found.oddities] == [offering.UNCLEAR]


def test_a_plugin_and_a_driver_on_one_node_are_counted_once(families: list[Family]) -> None:
    rngd = next(family for family in families if family.slug == "furiosa-rngd")
    sliced = offering.Offer(
        family=rngd,
        resource_name="npu.furiosa.ai",
        capacity=8,
        allocatable=8,
        allocation=AllocationMode.DRA,
    )
    both = {"furiosa.ai/rngd": "8"}
    found = offering.sort_out(
        labels={}, capacity=both, allocatable=both, families=families, from_slices=[sliced]
    )
    assert [(o.resource_name, o.capacity) for o in found.offers] == [("furiosa.ai/rngd", 8)]
    assert [odd.code for odd in found.oddities] == [offering.TWO_WAYS]
    left = {"furiosa.ai/rngd": "0"}
    moved = offering.sort_out(
        labels={}, capacity=left, allocatable=left, families=families, from_slices=[sliced]
    )
    assert (moved.offers, moved.oddities) == ([sliced], [])


def test_what_is_odd_is_kept_once_and_cleared_when_it_ends(on_offer: None) -> None:
    cluster = factory.add_cluster()
    odd = factory.raw_node(resource="rebellions.ai/npu")
    factory.add_nodes(cluster, odd)
    factory.add_nodes(cluster, odd)
    assert [one.code for one in warning.open_warnings()] == [offering.UNCLEAR]
    odd["metadata"]["labels"] = ATOM
    factory.add_nodes(cluster, odd)
    assert not warning.open_warnings()
    assert NodeWarning.objects.count() == 1
    assert NodeCapacity.objects.get().capacity == 8


# --- the catalogue -----------------------------------------------------------------------


def test_nothing_is_sold_without_a_confirmed_name_or_the_operators_word(
    db: None, settings: object
) -> None:
    settings.FARM_RESOURCE_NAMES = {}  # type: ignore[attr-defined]
    catalog.load_catalog()
    x330 = Family.objects.get(slug="sapeon-x330-prime")
    assert x330.resource_names == []
    assert not InstanceType.objects.filter(family=x330, is_retired=False).exists()
    assert Family.objects.get(slug="hyperaccel-lpu").resource_names == []
    settings.FARM_RESOURCE_NAMES = {  # type: ignore[attr-defined]
        "sapeon-x330-prime": ["own.example/x330"],
        "hyperaccel-lpu": ["hyperaccel.ai/lpu"],
    }
    catalog.load_catalog()
    assert Family.objects.get(slug="sapeon-x330-prime").resource_names == ["own.example/x330"]
    assert Family.objects.get(slug="hyperaccel-lpu").resource_names == ["hyperaccel.ai/lpu"]
    assert InstanceType.objects.filter(family=x330, is_retired=False).exists()


def test_every_entry_says_its_unit_where_it_is_known_from_and_how_well(on_offer: None) -> None:
    for family in Family.objects.all():
        assert family.specs["sources"], family
        assert family.cards or family.names, family
        assert all(name["confidence"] and name["unit"] for name in family.names), family
        unconfirmed = [n for n in family.names if n["confidence"] != "confirmed"]
        assert not any(name["is_sold"] for name in unconfirmed), family


def test_an_atom_device_is_a_chip_and_a_quarter_of_some_cards(on_offer: None) -> None:
    atom = Family.objects.get(slug="rebellions-atom")
    assert atom.unit == "chip"
    shown = {card["product"]: (card["devices"], card["confidence"]) for card in atom.cards}
    assert shown["ATOM-Max (RBLN-CA25)"] == (4, "unconfirmed")


def test_no_name_of_two_vendors(on_offer: None) -> None:
    owners: dict[str, set[str]] = {}
    for family in Family.objects.select_related("vendor"):
        for name in family.names:
            owners.setdefault(name["name"], set()).add(family.vendor.slug)
    assert not {name: who for name, who in owners.items() if len(who) > 1}


@pytest.mark.parametrize(
    ("rules", "devices", "words"),
    [
        ({"counts": [1, 4, 8]}, 2, "allows 1, 4, 8 devices"),
        ({"most_per_container": 8}, 16, "8 devices in one container at most"),
        ({"multiple_of": 4}, 6, "share a card"),
        ({"counts": [1, 4, 8], "multiple_of": 4, "most_per_container": 8}, 8, ""),
        ({"one_container": True}, 3, ""),
    ],
)
def test_a_broken_rule_is_said_in_plain_words(
    rules: dict[str, object], devices: int, words: str
) -> None:
    said = constraints.broken(rules=rules, devices=devices)
    assert words in said
    assert bool(said) == bool(words)


def test_a_catalogue_with_a_size_its_vendor_forbids_is_refused_whole(
    on_offer: None, tmp_path: Path
) -> None:
    entry = yaml.safe_load((catalog.FILES / "furiosa.yaml").read_text())
    entry["families"][0]["constraints"] = {"counts": [1, 2, 4]}
    (tmp_path / "furiosa.yaml").write_text(yaml.safe_dump(entry))
    with pytest.raises(IllegalSpec, match="RNGD × 8: The vendor allows 1, 2, 4 devices"):
        catalog.load_catalog(files=tmp_path)
    assert InstanceType.objects.get(slug="rngd-8").is_retired is False


def test_a_rule_nobody_keeps_is_refused(on_offer: None, tmp_path: Path) -> None:
    entry = yaml.safe_load((catalog.FILES / "furiosa.yaml").read_text())
    entry["families"][0]["constraints"] = {"moon_phase": "full"}
    (tmp_path / "furiosa.yaml").write_text(yaml.safe_dump(entry))
    with pytest.raises(IllegalSpec, match="moon_phase"):
        catalog.load_catalog(files=tmp_path)


def test_a_vendor_without_habits_needs_no_file(on_offer: None) -> None:
    """The recipe for a new vendor: a file of data, and its devices are a pool."""
    cluster = factory.add_cluster()
    factory.add_nodes(cluster, factory.raw_node(resource="qualcomm.com/qaic", devices=4))
    pool = Pool.objects.get(resource_name="qualcomm.com/qaic")
    assert pool.family.slug == "qualcomm-cloud-ai-100"
    assert habits_of("qualcomm").toleration_keys == ()
