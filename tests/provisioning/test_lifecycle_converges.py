"""In whatever order things happen, are late, are lost or happen twice.

At most one pod holds devices for an instance, no forbidden move is made, no run's end is
lost, and once the trouble is over everything is as it was wished.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning import lifecycle
from provisioning.states import Desired, State
from provisioning.steps import Act, Move
from tests.provisioning.world import World

EVENTS = st.sampled_from(
    [
        *["pass", "pass that dies", "kubelet", "watch"] * 3,
        *["all goes well"] * 4,
        *["workers work unwatched", "kubelets are slow"] * 2,
        *["stop", "start", "seconds", "minutes"] * 2,
        *["watch one", "told again", "worker stalls", "stalled worker wakes"] * 2,
        *["node lost", "node back", "taint", "server down", "server up"],
        "namespace deleted",
        "container fails",
        "container finishes",
        "deleted by hand",
        "torn out",
    ]
)
# No wish comes after the last, so it is made late or not at all; trouble does.
HISTORIES = st.tuples(
    st.lists(EVENTS, min_size=40, max_size=80), st.booleans(), st.lists(EVENTS, max_size=20)
).map(lambda found: [*found[0], "terminate", *found[2]] if found[1] else found[0])


def happen(world: World, event: str) -> None:
    match event:
        case "all goes well":
            for _ in range(3):
                world.take_step()
                world.kubelet()
                world.watch()
        case "workers work unwatched":
            for _ in range(6):
                world.take_step()
                world.pass_time(5)
        case "kubelets are slow":
            for _ in range(6):
                world.watch()
                world.take_step()
                world.pass_time(5)
        case "pass":
            world.take_step()
        case "pass that dies":
            world.take_step(dies=True)
        case "kubelet":
            world.kubelet()
        case "watch":
            world.watch()
        case "stop":
            world.wish(Desired.STOPPED)
        case "start":
            world.start()
        case "terminate":
            world.wish(Desired.TERMINATED)
        case "container fails":
            world.end_containers("Failed")
        case "container finishes":
            world.end_containers("Succeeded")
        case "deleted by hand":
            world.delete_by_hand()
        case "torn out":
            world.tear_out()
        case "watch one":
            world.watch_one()
        case "told again":
            world.watch_again()
        case "worker stalls":
            world.stall()
        case "stalled worker wakes":
            world.wake_stalled()
        case "node lost":
            world.lose_node()
        case "node back":
            world.nodes["a"] = True
        case "taint":
            world.evict_from_lost()
        case "server down":
            world.is_down = True
        case "server up":
            world.is_down = False
        case "namespace deleted":
            world.delete_namespace()
        case "seconds":
            world.pass_time(20)
        case "minutes":
            world.pass_time(700)


def settle(world: World) -> None:
    """Trouble is over: everybody does their part for long enough."""
    world.wake_stalled()
    world.is_down, world.nodes["a"] = False, True
    for _ in range(60):
        world.pass_time(61)
        world.kubelet()
        world.watch()
        for _ in range(4):
            world.take_step()


@settings(max_examples=400, deadline=None)
@given(events=HISTORIES)
def test_trouble_passes_and_the_wish_remains(events: list[str]) -> None:
    world = World()
    for event in events:
        happen(world, event)
        assert sum(pod.occupies for pod in world.pods.values()) <= 1, event
    settle(world)

    assert world.unpaid == 0
    running = [pod for pod in world.pods.values() if pod.container == "running"]
    if world.desired is Desired.TERMINATED:
        assert (world.state, world.pods) == (State.TERMINATED, {})
    elif world.desired is Desired.STOPPED:
        assert (world.state, world.pods) == (State.STOPPED, {})
    elif world.state is State.RUNNING:
        assert len(running) == len(world.pods) == 1
    else:
        # It finished, or was given up after too many attempts in an hour.
        assert world.state in (State.STOPPED, State.FAILED)
        assert world.pods == {}


@settings(max_examples=200, deadline=None)
@given(events=HISTORIES)
def test_every_planned_move_is_legal(events: list[str]) -> None:
    world = World()
    for event in events:
        step = world.plan()
        if isinstance(step, Move):
            assert lifecycle.is_legal(from_state=world.state, to=step.to)
        happen(world, event)


@settings(max_examples=200, deadline=None)
@given(events=HISTORIES)
def test_what_has_ended_asks_the_cluster_for_nothing_new(events: list[str]) -> None:
    world = World()
    for event in events:
        happen(world, event)
    world.wish(Desired.TERMINATED)
    settle(world)
    posted = len(world.attempts)
    settle(world)
    assert len(world.attempts) == posted
    assert not isinstance(world.plan(), Act)
