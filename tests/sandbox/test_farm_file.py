"""The farm file: what it says adds up, and what it cannot mean is refused."""

from pathlib import Path

import pytest
import yaml

from provisioning.sandbox import farm
from provisioning.sandbox.farm import BadFarm, Farm
from provisioning.sandbox.raising import raise_cluster
from tests.sandbox.worlds import MovedClock

PETA = 1000.0
UNKNOWN = {"product": "x", "cards": 1}


@pytest.fixture(scope="module")
def default() -> Farm:
    return farm.load()


def _cards(simulated: Farm) -> dict[str, int]:
    cards: dict[str, int] = {}
    for cluster in simulated.clusters:
        for node in cluster.nodes:
            for devices in node.devices:
                cards[devices.product] = cards.get(devices.product, 0) + devices.cards * node.count
    return cards


def test_default_farm_adds_up_to_what_it_states(default: Farm) -> None:
    total = sum(
        default.product(name).peak_tera_ops_per_card * count
        for name, count in _cards(default).items()
    )
    assert total == default.peak_tera_ops
    assert round(total / PETA) == 20
    assert default.peak_precision == "dense 8-bit (FP8 or INT8)"


def test_default_farm_has_three_regions_and_three_families(default: Farm) -> None:
    assert [cluster.name for cluster in default.clusters] == ["east", "west", "south"]
    families = {default.product(name).family for name in _cards(default)}
    assert families == {"furiosa-rngd", "rebellions-atom", "sapeon-x"}


def test_default_farm_offers_the_names_real_plugins_use(default: Farm) -> None:
    resources = {default.product(name).resource for name in _cards(default)}
    assert {"furiosa.ai/rngd", "rebellions.ai/npu", "rebellions.ai/ATOM"} <= resources


def test_every_default_cluster_can_be_raised(default: Farm) -> None:
    for spec in default.clusters:
        raised = raise_cluster(spec=spec, farm=default, clock=MovedClock())
        offered = {
            resource
            for kubelet in raised.kubelets.values()
            for resource in kubelet.ground.devices.allocatable()
        }
        assert offered


def test_numbered_nodes_get_names_of_their_own() -> None:
    simulated = farm.read({"clusters": [{"name": "c", "nodes": [{"name": "n", "count": 3}]}]})
    raised = raise_cluster(spec=simulated.clusters[0], farm=simulated, clock=MovedClock())
    assert list(raised.kubelets) == ["n-1", "n-2", "n-3"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"clusters": [], "frob": 1}, "unknown field frob"),
        ({"clusters": [{"name": "c", "nodes": [{"nam": "n"}]}]}, "unknown field nam"),
        ({"clusters": [{"nodes": []}]}, "missing 1 required positional argument: 'name'"),
        ({"clusters": {"name": "c"}}, "expected a list"),
        ({"clusters": [{"name": 5}]}, "expected str, found 5"),
        ([], "expected a mapping"),
        (
            {
                "clusters": [
                    {
                        "name": "c",
                        "nodes": [{"name": "n", "devices": [{"product": "x", "cards": 1}]}],
                    }
                ]
            },
            "no product named 'x'",
        ),
    ],
)
def test_farm_that_makes_no_sense_is_refused(wrong: object, told: str) -> None:
    with pytest.raises(BadFarm, match=told):
        farm.read(wrong)


def test_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "farm.yaml"
    path.write_text("a: [")
    with pytest.raises(BadFarm):
        farm.load(path)


def test_default_farm_is_plain_yaml() -> None:
    assert yaml.safe_load(farm.DEFAULT_FARM.read_text())["clusters"]
