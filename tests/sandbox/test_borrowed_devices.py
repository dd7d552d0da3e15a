"""Devices of init containers: lent from what their pod holds, and given back with it."""

from provisioning.sandbox.raising import pods_of
from tests.sandbox.worlds import World, devices_of

RNGD = "furiosa.ai/rngd"


def _run(world: World, name: str, *, lent: int, count: int, seconds: int = 1) -> str:
    init = {
        "name": "first",
        "image": "registry.local/npu-workspace:1",
        "command": ["sleep", str(seconds)],
        "resources": {"limits": {RNGD: str(lent)}},
    }
    here = {"kubernetes.io/hostname": "one"}
    world.run(name, count=count, initContainers=[init], nodeSelector=here)
    world.pass_time(5)
    uid: str = world.pod(name)["metadata"]["uid"]
    return uid


def _held(world: World) -> dict[str, tuple[str, str]]:
    return world.raised.kubelets["one"].ground.devices.pools[RNGD].held


def test_container_takes_over_what_the_init_container_was_lent(world: World) -> None:
    uid = _run(world, "p", lent=3, count=1)
    devices = world.raised.kubelets["one"].ground.devices
    lent = devices.held_by(uid, "first")[RNGD]
    assert len(lent) == 3
    assert set(devices_of(world.pod("p"))) < set(lent)
    assert set(_held(world)) == set(lent)


def test_what_only_an_init_container_wanted_is_the_pods_until_it_ends(world: World) -> None:
    _run(world, "p", lent=3, count=1)
    _run(world, "greedy", lent=1, count=2)
    assert world.pod("greedy")["status"]["phase"] == "Pending"
    world.delete("p", grace_seconds=0)
    world.pass_time(60)
    assert world.pod("greedy")["status"]["phase"] == "Running"
    assert len(_held(world)) == 2


def test_a_kubelet_that_comes_back_lends_again(world: World) -> None:
    uid = _run(world, "p", lent=3, count=1, seconds=600)
    kubelet = world.raised.kubelets["one"]
    kubelet.ground.devices.release(uid)
    kubelet.resume(pods_of(world.cluster, "one"))
    assert len(_held(world)) == 3
    assert len(kubelet.ground.devices.held_by(uid, "first")[RNGD]) == 3


def test_init_container_that_fails_gives_all_back(world: World) -> None:
    init = {
        "name": "first",
        "image": "registry.local/npu-workspace:1",
        "command": ["sh", "-c", "exit 3"],
        "resources": {"limits": {RNGD: "2"}},
    }
    world.run("p", count=1, initContainers=[init], nodeSelector={"kubernetes.io/hostname": "one"})
    world.pass_time(10)
    assert world.pod("p")["status"]["phase"] == "Failed"
    assert not _held(world)
