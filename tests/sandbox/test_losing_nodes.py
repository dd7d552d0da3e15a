"""A node that falls silent: what the cluster says and does about it, and how it comes back."""

import pytest

from provisioning.sandbox import breaking, errors
from provisioning.sandbox.kinds import LEASES, PODS
from tests.sandbox.worlds import World, condition_of, devices_of, state_of


def _lost(world: World, seconds: float) -> str:
    world.run("p", held=True)
    world.pass_time(5)
    node: str = world.pod("p")["spec"]["nodeName"]
    breaking.lose_node(world.raised.kubelets[node])
    world.pass_time(seconds)
    return node


def test_lease_of_a_silent_node_stands_still(world: World) -> None:
    node = _lost(world, 1)
    before = world.get(LEASES, "kube-node-lease", node)
    world.pass_time(35)
    assert world.get(LEASES, "kube-node-lease", node) == before
    assert condition_of(world.node(node), "Ready")["status"] == "True"


def test_silent_node_turns_unknown_and_is_tainted(world: World) -> None:
    node = world.node(_lost(world, 60))
    ready = condition_of(node, "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    taints = {(one["key"], one["effect"]) for one in node["spec"]["taints"]}
    unreachable = "node.kubernetes.io/unreachable"
    assert taints == {(unreachable, "NoSchedule"), (unreachable, "NoExecute")}


def test_pod_of_a_silent_node_is_not_ready_and_keeps_its_state(world: World) -> None:
    _lost(world, 60)
    pod = world.pod("p")
    assert condition_of(pod, "Ready")["status"] == "False"
    assert pod["status"]["phase"] == "Running"
    assert "running" in state_of(pod)
    assert "deletionTimestamp" not in pod["metadata"]


def test_pod_is_deleted_when_its_patience_ends_and_stays(world: World) -> None:
    _lost(world, 60)
    world.pass_time(310)
    pod = world.pod("p")
    assert pod["metadata"]["deletionTimestamp"]
    assert condition_of(pod, "DisruptionTarget")["reason"] == "DeletionByTaintManager"
    world.pass_time(600)
    # Nobody is there to say that the container is down.
    assert "running" in state_of(world.pod("p"))


def test_nothing_is_placed_on_a_silent_node(world: World) -> None:
    node = _lost(world, 60)
    world.run("next", count=4, nodeSelector={"kubernetes.io/hostname": node})
    world.pass_time(5)
    message = condition_of(world.pod("next"), "PodScheduled")["message"]
    assert "node(s) had untolerated taint(s)" in message


def test_node_comes_back_with_its_containers(world: World) -> None:
    node = _lost(world, 60)
    before = world.pod("p")["status"]["containerStatuses"][0]
    breaking.return_node(world.raised, world.raised.kubelets[node], rebooted=False)
    world.pass_time(10)
    after = world.pod("p")["status"]["containerStatuses"][0]
    assert after["containerID"] == before["containerID"]
    assert after["state"] == before["state"]
    assert condition_of(world.node(node), "Ready")["status"] == "True"
    assert "taints" not in world.node(node)["spec"]


def test_node_comes_back_from_a_reboot_without_them(world: World) -> None:
    node = _lost(world, 60)
    boot = world.node(node)["status"]["nodeInfo"]["bootID"]
    breaking.return_node(world.raised, world.raised.kubelets[node], rebooted=True)
    world.pass_time(10)
    pod = world.pod("p")
    assert pod["status"]["phase"] == "Failed"
    assert state_of(pod)["terminated"]["exitCode"] == 255
    assert world.node(node)["status"]["nodeInfo"]["bootID"] != boot


def test_pod_deleted_during_the_absence_ends_when_the_node_is_back(world: World) -> None:
    node = _lost(world, 60)
    world.pass_time(310)
    breaking.return_node(world.raised, world.raised.kubelets[node], rebooted=False)
    world.pass_time(40)
    pod = world.pod("p")
    assert "terminated" in state_of(pod)
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 0


def test_node_that_says_it_is_not_ready_is_tainted_and_its_pods_stay_ready(world: World) -> None:
    world.run("p", held=True)
    world.pass_time(5)
    node: str = world.pod("p")["spec"]["nodeName"]
    breaking.unready_node(world.raised, world.raised.kubelets[node], message="no runtime")
    world.pass_time(60)
    ready = condition_of(world.node(node), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "KubeletNotReady")
    taints = [(one["key"], one["effect"]) for one in world.node(node)["spec"]["taints"]]
    key = "node.kubernetes.io/not-ready"
    assert taints == [(key, "NoSchedule"), (key, "NoExecute")]
    # Its kubelet speaks for its pods, and its lease goes on.
    assert condition_of(world.pod("p"), "Ready")["status"] == "True"
    world.pass_time(250)
    assert condition_of(world.pod("p"), "DisruptionTarget")["reason"] == "DeletionByTaintManager"
    # The kubelet is there to end it.
    world.pass_time(60)
    assert "terminated" in state_of(world.pod("p"))
    assert world.pod("p")["status"]["phase"] == "Failed"


def test_node_that_is_ready_again_keeps_its_pods(world: World) -> None:
    world.run("p")
    world.pass_time(5)
    node: str = world.pod("p")["spec"]["nodeName"]
    kubelet = world.raised.kubelets[node]
    breaking.unready_node(world.raised, kubelet, message="no runtime")
    world.pass_time(60)
    breaking.return_node(world.raised, kubelet, rebooted=False)
    world.pass_time(600)
    assert "taints" not in world.node(node)["spec"]
    assert condition_of(world.pod("p"), "Ready")["status"] == "True"
    assert "deletionTimestamp" not in world.pod("p")["metadata"]


def test_node_that_was_not_ready_and_falls_silent_is_unreachable(world: World) -> None:
    node = world.raised.kubelets["one"].name
    breaking.unready_node(world.raised, world.raised.kubelets[node], message="no runtime")
    breaking.lose_node(world.raised.kubelets[node])
    world.pass_time(60)
    assert condition_of(world.node(node), "Ready")["status"] == "Unknown"
    keys = {one["key"] for one in world.node(node)["spec"]["taints"]}
    assert keys == {"node.kubernetes.io/unreachable"}
    with pytest.raises(errors.StatusError):
        breaking.unready_node(world.raised, world.raised.kubelets[node], message="no runtime")


def test_force_deleted_pod_gives_its_devices_back_on_return(world: World) -> None:
    node = _lost(world, 60)
    world.patch(PODS, "t", "p", {"metadata": {"finalizers": None}})
    world.delete("p", grace_seconds=0)
    breaking.return_node(world.raised, world.raised.kubelets[node], rebooted=False)
    world.run("next", count=4, nodeSelector={"kubernetes.io/hostname": node})
    world.pass_time(10)
    assert len(devices_of(world.pod("next"))) == 4


def test_ill_device_leaves_allocatable_and_is_told_on_its_pod(world: World) -> None:
    world.run("p", nodeSelector={"kubernetes.io/hostname": "one"})
    world.pass_time(5)
    ill = devices_of(world.pod("p"))[0]
    kubelet = world.raised.kubelets["one"]
    args = {"resource": "furiosa.ai/rngd", "device_id": ill}
    breaking.set_health(world.raised, kubelet, **args, is_healthy=False)
    node = world.node("one")["status"]
    assert (node["capacity"]["furiosa.ai/rngd"], node["allocatable"]["furiosa.ai/rngd"]) == (
        "4",
        "3",
    )
    told = world.pod("p")["status"]["containerStatuses"][0]["allocatedResourcesStatus"][0]
    assert told["resources"] == [{"resourceID": ill, "health": "Unhealthy"}]
    assert world.pod("p")["status"]["phase"] == "Running"
    breaking.set_health(world.raised, kubelet, **args, is_healthy=True)
    assert world.node("one")["status"]["allocatable"]["furiosa.ai/rngd"] == "4"
