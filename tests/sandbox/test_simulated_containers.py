"""Simulated containers: what a command means, and how long it lasts."""

import pytest

from provisioning.sandbox.containers.behaviours import Behaviour, missing_program, of_container
from provisioning.sandbox.farm import Image
from tests.sandbox.worlds import World, devices_of, state_of

WORKSPACE = Image("workspace", stop_seconds=2.0)


@pytest.mark.parametrize(
    ("command", "seconds", "code"),
    [
        (["sleep", "5"], 5.0, 0),
        (["sleep", "inf"], None, 0),
        (["sh", "-c", "exit 3"], 0.0, 3),
        (["sh", "-c", "sleep 2; exit 7"], 2.0, 7),
        (["sh", "-c", "echo a && sleep 1 && sleep 2"], 3.0, 0),
        (["sh", "-c", "env; exec sleep 2147483647"], None, 0),
        (["true"], 0.0, 0),
        (["false"], 0.0, 1),
        (["/bin/sleep", "1.5"], 1.5, 0),
        (["python", "serve.py"], None, 0),
        (["sleep", "soon"], 0.0, 1),
    ],
)
def test_command_is_understood(command: list[str], seconds: float | None, code: int) -> None:
    behaviour = of_container({"command": command}, WORKSPACE)
    assert (behaviour.run_seconds, behaviour.exit_code) == (seconds, code)


def test_arguments_follow_the_command() -> None:
    given = {"command": ["sh", "-c"], "args": ["exit 4"]}
    assert of_container(given, WORKSPACE).exit_code == 4


def test_image_decides_without_a_command() -> None:
    image = Image("batch", run_seconds=5.0, exit_code=2, stop_seconds=None)
    assert of_container({}, image) == Behaviour(5.0, 2, None, 143)


@pytest.mark.parametrize(
    ("command", "stop", "code"),
    [
        (["sleep", "100"], None, 143),
        (["sh", "-c", "trap '' TERM; sleep 100"], None, 143),
        (["sh", "-c", "trap 'exit 5' TERM; sleep 100 & wait"], 0.1, 5),
        (["python", "serve.py"], 2.0, 143),
    ],
)
def test_term_is_heard_or_not(command: list[str], stop: float | None, code: int) -> None:
    behaviour = of_container({"command": command}, WORKSPACE)
    assert (behaviour.stop_seconds, behaviour.stop_exit_code) == (stop, code)


def test_missing_program_is_named() -> None:
    image = Image("i", programs=("sh",))
    assert missing_program({"command": ["/bin/sh"]}, image) == ""
    assert missing_program({"command": ["frob", "x"]}, image) == "frob"
    assert missing_program({"command": ["frob"]}, Image("any")) == ""


def test_who_comes_while_another_backs_off_is_told_at_once(world: World) -> None:
    missing, on = {"image": "registry.local/nothing:1"}, {"kubernetes.io/hostname": "one"}
    world.run("early", container=missing, nodeSelector=on)
    world.pass_time(60)
    world.run("late", container=missing, nodeSelector=on)
    world.pass_time(1)
    assert state_of(world.pod("early"))["waiting"]["reason"] == "ImagePullBackOff"
    assert state_of(world.pod("late"))["waiting"]["reason"] == "ErrImagePull"
    world.pass_time(6)
    assert state_of(world.pod("late"))["waiting"]["reason"] == "ImagePullBackOff"


def test_first_pull_takes_time_and_the_second_does_not(world: World) -> None:
    world.run("first")
    world.pass_time(1.5)
    assert state_of(world.pod("first")) == {"waiting": {"reason": "ContainerCreating"}}
    world.pass_time(1.0)
    assert "running" in state_of(world.pod("first"))
    node = world.pod("first")["spec"]["nodeName"]
    world.run("second", nodeSelector={"kubernetes.io/hostname": node})
    world.pass_time(0.5)
    assert "running" in state_of(world.pod("second"))


def test_container_runs_its_time_and_no_longer(world: World) -> None:
    world.run("batch", container={"image": "registry.local/batch:1"})
    world.pass_time(1)
    assert world.pod("batch")["status"]["phase"] == "Running"
    world.pass_time(5)
    pod = world.pod("batch")
    assert pod["status"]["phase"] == "Succeeded"
    assert state_of(pod)["terminated"]["exitCode"] == 0


def test_program_that_listens_ends_early_and_one_that_does_not_is_killed(world: World) -> None:
    world.run("polite", held=True)
    world.run("stubborn", held=True, container={"image": "registry.local/stubborn:1"})
    world.pass_time(5)
    for name in ("polite", "stubborn"):
        world.delete(name)
    world.pass_time(2)
    assert state_of(world.pod("polite"))["terminated"]["exitCode"] == 143
    assert "running" in state_of(world.pod("stubborn"))
    world.pass_time(30)
    assert state_of(world.pod("stubborn"))["terminated"]["exitCode"] == 137


def test_devices_of_two_nodes_have_the_same_ids(world: World) -> None:
    names = ("one", "two")
    for name in names:
        world.run(name, count=4, nodeSelector={"kubernetes.io/hostname": name})
    world.pass_time(5)
    held = [devices_of(world.pod(name)) for name in names]
    assert held[0] == held[1] == ["npu0", "npu1", "npu2", "npu3"]


def test_no_device_is_held_twice(world: World) -> None:
    for number in range(4):
        world.run(f"p{number}", nodeSelector={"kubernetes.io/hostname": "one"})
    world.pass_time(5)
    held = [one for number in range(4) for one in devices_of(world.pod(f"p{number}"))]
    assert sorted(held) == ["npu0", "npu1", "npu2", "npu3"]


def test_pause_before_restarts_doubles(world: World) -> None:
    world.run("loop", restartPolicy="Always", container={"command": ["sh", "-c", "exit 1"]})
    counts = []
    for seconds in (4, 11, 21, 41):
        world.pass_time(seconds)
        counts.append(world.pod("loop")["status"]["containerStatuses"][0]["restartCount"])
    assert counts == [1, 2, 3, 4]
    waiting = state_of(world.pod("loop"))["waiting"]
    assert waiting["reason"] == "CrashLoopBackOff"
    assert waiting["message"].startswith("back-off 1m20s restarting failed container=main")
