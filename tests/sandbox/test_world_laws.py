"""Laws no order of events may break: devices are held once, watches tell what lists show."""

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.sandbox import selectors
from provisioning.sandbox.kinds import PODS
from provisioning.sandbox.objects import Json
from provisioning.sandbox.watching import Watch, WatchOptions
from tests.sandbox.worlds import World, condition_of

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), NAMES, st.integers(1, 4)),
        st.tuples(st.just("delete"), NAMES, st.sampled_from([0, 5])),
        st.tuples(st.just("release"), NAMES, st.just(0)),
        st.tuples(st.just("label"), NAMES, st.integers(0, 1)),
        st.tuples(st.just("wait"), NAMES, st.integers(1, 8)),
    ),
    max_size=25,
)


def _do(world: World, step: tuple[str, str, int]) -> None:
    what, name, number = step
    there = world.get(PODS, "t", name) is not None
    if what == "run" and not there:
        world.run(name, count=number, held=number % 2 == 0)
    elif what == "delete" and there:
        world.delete(name, grace_seconds=number)
    elif what == "release" and there:
        world.patch(PODS, "t", name, {"metadata": {"finalizers": None}})
    elif what == "label" and there:
        world.patch(PODS, "t", name, {"metadata": {"labels": {"tier": str(number)}}})
    elif what == "wait":
        world.pass_time(number)


def _pods(world: World) -> list[Json]:
    return [stored.object for stored in world.cluster.store.all(PODS, "t")]


def _is_live(pod: Json) -> bool:
    return pod["status"]["phase"] not in ("Succeeded", "Failed")


def _held_by_status(world: World, node: str) -> list[str]:
    return [
        device["resourceID"]
        for pod in _pods(world)
        if pod["spec"].get("nodeName") == node and _is_live(pod)
        for container in pod["status"].get("containerStatuses") or []
        for allocated in container.get("allocatedResourcesStatus") or []
        for device in allocated["resources"]
    ]


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_no_device_is_ever_held_by_two(steps: list[tuple[str, str, int]]) -> None:
    world = World()
    for step in steps:
        _do(world, step)
        for node in ("one", "two"):
            held = _held_by_status(world, node)
            assert len(held) == len(set(held)) <= 4


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_everything_comes_back_in_the_end(steps: list[tuple[str, str, int]]) -> None:
    world = World()
    for step in steps:
        _do(world, step)
    for name in ("a", "b", "c", "d", "e"):
        _do(world, ("delete", name, 0))
        _do(world, ("release", name, 0))
    world.pass_time(120)
    assert _pods(world) == []
    for kubelet in world.raised.kubelets.values():
        assert all(not pool.held for pool in kubelet.ground.devices.pools.values())
    for name in ("one", "two"):
        world.run(f"last-{name}", count=4)
    world.pass_time(20)
    assert all(pod["status"]["phase"] == "Running" for pod in _pods(world))


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_who_waits_is_told_why_and_who_runs_is_ready(steps: list[tuple[str, str, int]]) -> None:
    world = World()
    for step in steps:
        _do(world, step)
    world.pass_time(60)
    for pod in _pods(world):
        if pod["metadata"].get("deletionTimestamp"):
            continue
        if pod["status"]["phase"] == "Running":
            assert condition_of(pod, "Ready")["status"] == "True"
        else:
            assert condition_of(pod, "PodScheduled")["reason"] == "Unschedulable"


def _watched(world: World, labels: str, version: int) -> Watch:
    # A watch is made inside a loop, which only its waiting would need.
    async def make() -> Watch:
        return world.cluster.watches.open(
            kind=PODS,
            selection=selectors.select(PODS, namespace="t", labels=labels),
            options=WatchOptions(resource_version=str(version)),
        )

    return asyncio.run(make())


def _replayed(watch: Watch) -> dict[str, Json]:
    seen: dict[str, Json] = {}
    for line in watch.take().splitlines():
        event = json.loads(line)
        name = event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            del seen[name]
        else:
            assert (name in seen) == (event["type"] == "MODIFIED")
            seen[name] = event["object"]
    return seen


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, labels=st.sampled_from(["", "tier=1", "tier!=1", "!tier"]))
def test_a_watch_replayed_is_the_list(steps: list[tuple[str, str, int]], labels: str) -> None:
    world = World()
    version = world.cluster.store.rv
    live = _watched(world, labels, version)
    for step in steps:
        _do(world, step)
    selection = selectors.select(PODS, namespace="t", labels=labels)
    listed = {
        pod["metadata"]["name"]: pod["metadata"]["resourceVersion"]
        for pod in _pods(world)
        if selection.holds(pod)
    }
    for watch in (live, _watched(world, labels, version)):
        replayed = _replayed(watch)
        assert {
            name: pod["metadata"]["resourceVersion"] for name, pod in replayed.items()
        } == listed
