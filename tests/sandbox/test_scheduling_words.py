"""What the scheduler says when a pod fits nowhere, node by node."""

import pytest

from provisioning.sandbox.kinds import NODES
from provisioning.sandbox.scheduling.fitting import Misfit, sentence
from tests.sandbox.worlds import World, condition_of

HOPELESS = "Preemption is not helpful for scheduling"


def test_reasons_are_counted_and_sorted() -> None:
    misfits = [
        Misfit(("Insufficient furiosa.ai/rngd",), is_hopeless=False),
        Misfit(("node(s) were unschedulable",), is_hopeless=True),
        Misfit(("Insufficient furiosa.ai/rngd",), is_hopeless=False),
    ]
    assert sentence(misfits) == (
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient furiosa.ai/rngd."
        " no new claims to deallocate, preemption: 0/3 nodes are available:"
        f" 1 {HOPELESS}, 2 No preemption victims found for incoming pod."
    )


def test_no_node_at_all_has_a_sentence_of_its_own() -> None:
    assert sentence([]) == "no nodes available to schedule pods"


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"count": 5}, "3 Insufficient furiosa.ai/rngd"),
        (
            {"count": 0, "nodeSelector": {"a": "b"}},
            "3 node(s) didn't match Pod's node affinity/selector",
        ),
        (
            {"count": 0, "container": {"resources": {"requests": {"cpu": "9"}}}},
            "3 Insufficient cpu",
        ),
    ],
)
def test_misfit_is_named(world: World, wish: dict[str, object], told: str) -> None:
    world.run("p", **wish)  # type: ignore[arg-type]
    world.pass_time(1)
    assert told in condition_of(world.pod("p"), "PodScheduled")["message"]


def test_affinity_is_obeyed(world: World) -> None:
    term = {
        "matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["two"]}]
    }
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    world.run("p", affinity={"nodeAffinity": required})
    world.pass_time(1)
    assert world.pod("p")["spec"]["nodeName"] == "two"


def test_pods_spread_over_nodes(world: World) -> None:
    for number in range(4):
        world.run(
            f"p{number}", container={"resources": {"limits": {"furiosa.ai/rngd": "1", "cpu": "1"}}}
        )
    world.pass_time(1)
    nodes = [world.pod(f"p{number}")["spec"]["nodeName"] for number in range(4)]
    assert sorted(nodes) == ["one", "one", "two", "two"]


def test_what_waits_is_placed_when_something_ends(world: World) -> None:
    for name in ("one", "two"):
        world.run(name, count=4)
    world.run("next", count=4)
    world.pass_time(5)
    assert "nodeName" not in world.pod("next")["spec"]
    world.delete("one")
    world.pass_time(10)
    assert world.pod("next")["status"]["phase"] == "Running"


def test_cordon_closes_and_opens_a_node(world: World) -> None:
    for node in ("one", "two"):
        world.patch(NODES, "", node, {"spec": {"unschedulable": True}})
    world.run("p")
    world.pass_time(1)
    assert "2 node(s) were unschedulable" in condition_of(world.pod("p"), "PodScheduled")["message"]
    world.patch(NODES, "", "two", {"spec": {"unschedulable": None}})
    world.pass_time(5)
    assert world.pod("p")["spec"]["nodeName"] == "two"
    assert "taints" not in world.node("two")["spec"]
