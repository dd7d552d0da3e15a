"""One situation, one step: the table of what follows from what."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from provisioning import lifecycle
from provisioning.states import AttemptState, Desired, Settlement, State
from provisioning.steps import (
    Act,
    AdoptPod,
    BuryAttempt,
    CreatePod,
    DeletePod,
    FindPod,
    Move,
    Place,
    PrepareNamespace,
    ReleasePod,
    Rest,
    Step,
)
from provisioning.views import AttemptView, PodView, Situation
from tests.factories.provisioning import NOON

UID = UUID("11111111-1111-4111-8111-111111111111")
LATER = NOON + timedelta(hours=2)


def attempt(**words: Any) -> AttemptView:
    usual = {"no": 1, "state": AttemptState.CREATED, "uid": UID, "created_at": NOON}
    return AttemptView(**{**usual, **words})


INTENDED = attempt(state=AttemptState.INTENDED, uid=None, created_at=None)


def pod(**words: Any) -> PodView:
    usual: dict[str, Any] = {
        "uid": UID,
        "attempt_no": 1,
        "phase": "Running",
        "is_scheduled": True,
        "container_state": "running",
        "has_finalizer": True,
        "settlement": Settlement.OPEN,
    }
    return PodView(**{**usual, **words})


def situation(state: State, **words: Any) -> Situation:
    usual: dict[str, Any] = {
        "seed": 7,
        "desired": Desired.RUNNING,
        "launch_no": 1,
        "settled_launch_no": 0,
        "has_lease_ended": False,
        "state": state,
        "state_since": NOON,
        "reason": "",
        "failures": 0,
        "is_namespace_ready": True,
    }
    return Situation(**{**usual, **words})


def step(state: State, *, now: Any = NOON, **words: Any) -> Step:
    return lifecycle.plan(of=situation(state, **words), now=now)


def ended(**words: Any) -> PodView:
    return pod(
        **{
            "phase": "Failed",
            "container_state": "terminated",
            "settlement": Settlement.CLOSED,
            "exit_code": 1,
            **words,
        }
    )


# --- on the way in -----------------------------------------------------------------------


def test_a_wish_is_placed() -> None:
    assert step(State.QUEUED) == Act(effect=Place(), again=lifecycle.POLL)


def test_a_namespace_comes_before_its_first_pod() -> None:
    found = step(State.PROVISIONING, attempt=INTENDED, is_namespace_ready=False)
    assert found == Act(effect=PrepareNamespace())


def test_an_intended_pod_is_created() -> None:
    assert step(State.PROVISIONING, attempt=INTENDED) == Act(effect=CreatePod())


def test_a_pod_seen_before_its_creation_was_recorded_is_adopted() -> None:
    found = step(State.PROVISIONING, attempt=INTENDED, pods=(pod(),))
    assert found == Act(effect=AdoptPod(UID))


@pytest.mark.parametrize(
    ("seen", "to", "reason"),
    [
        (pod(is_scheduled=False, phase="Pending", container_state=""), None, "waiting_for_node"),
        (
            pod(phase="Pending", container_state="waiting", waiting_reason="ContainerCreating"),
            State.STARTING,
            "container_starting",
        ),
        (
            pod(phase="Pending", container_state="waiting", waiting_reason="ImagePullBackOff"),
            State.STARTING,
            "image_not_pulled",
        ),
        (
            pod(phase="Pending", container_state="waiting", waiting_reason="InvalidImageName"),
            State.FAILED,
            "image_invalid",
        ),
        (pod(), State.RUNNING, "container_started"),
        (pod(is_node_ready=False), State.UNREACHABLE, "node_unreachable"),
        (ended(phase="Succeeded", exit_code=0), State.STOPPING, "finished"),
        (ended(), State.RECOVERING, "container_failed"),
        (ended(exit_reason="OOMKilled"), State.RECOVERING, "out_of_memory"),
        (ended(reason="Evicted"), State.RECOVERING, "evicted"),
        (ended(disruption_reason="PreemptionByScheduler"), State.RECOVERING, "preempted"),
        (ended(disruption_reason="DeletionByTaintManager"), State.RECOVERING, "node_lost"),
        (
            ended(reason="UnexpectedAdmissionError", settlement=Settlement.NEVER_RAN),
            State.RECOVERING,
            "device_not_admitted",
        ),
        (
            ended(reason="OutOfcpu", settlement=Settlement.NEVER_RAN),
            State.RECOVERING,
            "no_room_on_node",
        ),
        (pod(is_deleting=True), State.RECOVERING, "deleted_outside"),
    ],
)
def test_what_a_pod_says_decides_the_state(seen: PodView, to: State | None, reason: str) -> None:
    found = step(State.SCHEDULING, attempt=attempt(), pods=(seen,))
    if to is None:
        assert isinstance(found, Rest)
    else:
        assert isinstance(found, Move)
        assert found.to is to
    assert found.reason == reason


def test_a_pod_that_finds_no_node_gives_way_after_ten_minutes() -> None:
    unplaced = pod(is_scheduled=False, container_state="", unschedulable_message="0/3 nodes")
    soon = step(State.SCHEDULING, attempt=attempt(), pods=(unplaced,))
    assert soon == Rest(
        again=timedelta(minutes=10, seconds=1), reason="unschedulable", message="0/3 nodes"
    )
    late = step(State.SCHEDULING, attempt=attempt(), pods=(unplaced,), now=LATER)
    assert late == Move(to=State.QUEUED, reason="not_scheduled", message="0/3 nodes")
    back = step(State.QUEUED, attempt=attempt(), pods=(unplaced,))
    assert back == Act(effect=DeletePod(UID), again=lifecycle.UNTIL_SEEN)


def test_an_image_that_never_comes_fails_after_a_quarter_of_an_hour() -> None:
    pulling = pod(container_state="waiting", waiting_reason="ErrImagePull", waiting_message="no")
    found = step(State.STARTING, attempt=attempt(), pods=(pulling,), now=LATER)
    assert isinstance(found, Move)
    assert (found.to, found.reason) == (State.FAILED, "image_not_pulled")
    assert found.message == "ErrImagePull: no"


def test_hours_without_an_answer_are_not_held_against_an_instance() -> None:
    patient = step(State.PROVISIONING, attempt=INTENDED, now=LATER)
    assert patient == Act(effect=CreatePod())
    refused = step(State.PROVISIONING, attempt=INTENDED, now=LATER, failures=1)
    assert isinstance(refused, Move)
    assert refused.dead_letter == "not_provisioned"


# --- there ---------------------------------------------------------------------------------


def test_an_instance_that_runs_is_left_alone() -> None:
    found = step(State.RUNNING, attempt=attempt(), pods=(pod(),), now=LATER)
    assert found == Rest(again=None, reason="container_started", message="")


def test_not_seen_yet_is_not_lost() -> None:
    assert step(State.SCHEDULING, attempt=attempt()) == Rest(again=lifecycle.POLL)
    before = step(State.SCHEDULING, attempt=attempt(), listed_at=NOON - timedelta(seconds=1))
    assert before == Rest(again=lifecycle.POLL)
    since = step(State.SCHEDULING, attempt=attempt(), listed_at=NOON + timedelta(minutes=1))
    assert since == Act(effect=FindPod(), again=lifecycle.POLL)


def test_a_pod_that_has_vanished_is_buried_and_replaced() -> None:
    assert step(State.RUNNING, attempt=attempt(), vanished=(1,)) == Act(effect=BuryAttempt(1))
    found = step(State.RUNNING, attempt=attempt(state=AttemptState.GONE))
    assert found == Move(to=State.RECOVERING, reason="pod_vanished")


def test_a_silent_node_is_waited_for_and_then_given_up() -> None:
    silent = pod(is_node_ready=False)
    soon = step(State.UNREACHABLE, attempt=attempt(), pods=(silent,))
    assert isinstance(soon, Rest)
    back = step(State.UNREACHABLE, attempt=attempt(), pods=(pod(),))
    assert isinstance(back, Move)
    assert back.to is State.RUNNING
    late = step(State.UNREACHABLE, attempt=attempt(), pods=(silent,), now=LATER)
    assert late == Move(to=State.RECOVERING, reason="node_lost")


def test_another_attempt_may_start_while_the_lost_pod_still_lies_on_its_silent_node() -> None:
    lost = pod(is_node_ready=False, is_deleting=True)
    found = step(State.RECOVERING, attempt=attempt(), pods=(lost,), now=LATER)
    assert found == Act(effect=Place(), again=lifecycle.POLL)


def test_another_attempt_waits_for_the_last_pod_to_go() -> None:
    assert step(State.RECOVERING, attempt=attempt(), pods=(ended(),)) == Act(
        effect=DeletePod(UID), again=lifecycle.UNTIL_SEEN
    )
    going = ended(is_deleting=True, has_finalizer=False)
    assert step(State.RECOVERING, attempt=attempt(), pods=(going,), now=LATER) == Rest(
        again=lifecycle.POLL
    )


def test_attempts_come_ever_more_slowly_and_end_with_the_fifth() -> None:
    gone = attempt(state=AttemptState.GONE)
    first = step(State.RECOVERING, attempt=gone, attempts_lately=1)
    fourth = step(State.RECOVERING, attempt=gone, attempts_lately=4)
    for found, most in ((first, 2), (fourth, 16)):
        assert isinstance(found, Rest)
        assert found.again is not None
        assert timedelta(0) < found.again <= timedelta(seconds=most)
    fifth = step(State.RECOVERING, attempt=gone, attempts_lately=5)
    assert isinstance(fifth, Move)
    assert (fifth.to, fifth.dead_letter) == (State.FAILED, "too_many_attempts")


def test_a_device_plugin_that_is_late_gets_half_a_minute() -> None:
    found = step(
        State.RECOVERING,
        attempt=attempt(state=AttemptState.GONE),
        attempts_lately=1,
        reason="device_not_admitted",
    )
    assert found == Rest(again=timedelta(seconds=30))


# --- on the way out ----------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.SCHEDULING, State.STARTING, State.RUNNING])
def test_a_stop_is_a_stop_wherever_the_instance_is(state: State) -> None:
    wished = situation(state, desired=Desired.STOPPED, attempt=attempt(), pods=(pod(),))
    assert lifecycle.plan(of=wished, now=NOON) == Move(to=State.STOPPING, reason="stop_wished")
    stopping = replace(wished, state=State.STOPPING)
    assert lifecycle.plan(of=stopping, now=NOON) == Act(
        effect=DeletePod(UID), again=lifecycle.UNTIL_SEEN
    )


def test_a_lease_that_has_ended_says_so() -> None:
    found = step(
        State.RUNNING,
        desired=Desired.STOPPED,
        has_lease_ended=True,
        attempt=attempt(),
        pods=(pod(),),
    )
    assert found == Move(to=State.STOPPING, reason="lease_ended")


def test_a_pod_created_and_not_seen_yet_can_be_stopped() -> None:
    found = step(State.STOPPING, desired=Desired.STOPPED, attempt=attempt())
    assert found == Act(effect=DeletePod(UID), again=lifecycle.UNTIL_SEEN)


def test_a_create_of_unknown_outcome_is_looked_up_before_it_counts_as_stopped() -> None:
    found = step(State.STOPPING, desired=Desired.STOPPED, attempt=INTENDED)
    assert found == Act(effect=FindPod(), again=lifecycle.UNTIL_SEEN)


def test_absence_is_waited_for_and_never_assumed() -> None:
    going = pod(is_deleting=True)
    assert isinstance(
        step(State.STOPPING, desired=Desired.STOPPED, attempt=attempt(), pods=(going,)), Rest
    )
    gone = attempt(state=AttemptState.GONE)
    found = step(State.STOPPING, desired=Desired.STOPPED, attempt=gone, reason="stop_wished")
    assert found == Move(to=State.STOPPED, reason="stop_wished")


def test_a_pod_that_will_not_go_calls_somebody_and_is_never_given_up() -> None:
    going = pod(is_deleting=True)
    found = step(
        State.TERMINATING, desired=Desired.TERMINATED, attempt=attempt(), pods=(going,), now=LATER
    )
    assert found == Rest(again=lifecycle.SLOW_POLL, dead_letter="pod_will_not_go")


@pytest.mark.parametrize(
    ("settlement", "phase", "is_scheduled", "may_go"),
    [
        (Settlement.CLOSED, "Failed", True, True),
        (Settlement.CLOSED, "Running", True, True),
        (Settlement.OPEN, "Running", True, False),
        (Settlement.OPEN, "Failed", True, False),
        (Settlement.NEVER_RAN, "Pending", False, True),
        (Settlement.NEVER_RAN, "Pending", True, False),
        (Settlement.NEVER_RAN, "Failed", True, True),
    ],
)
def test_the_finalizer_goes_when_the_seconds_are_settled(
    settlement: Settlement, phase: str, is_scheduled: bool, may_go: bool
) -> None:
    going = pod(is_deleting=True, settlement=settlement, phase=phase, is_scheduled=is_scheduled)
    found = step(State.STOPPING, desired=Desired.STOPPED, attempt=attempt(), pods=(going,))
    released = found == Act(effect=ReleasePod(UID), again=lifecycle.UNTIL_SEEN)
    assert released is may_go


def test_a_finalizer_stays_while_nobody_wants_the_pod_gone() -> None:
    found = step(State.RUNNING, attempt=attempt(), pods=(ended(),))
    assert isinstance(found, Move)


def test_a_pod_of_an_attempt_given_up_is_cleared_away() -> None:
    stray = pod(uid=uuid4(), attempt_no=1)
    second = attempt(no=2)
    found = step(State.RUNNING, attempt=second, pods=(stray, pod(attempt_no=2)))
    assert found == Act(effect=DeletePod(stray.uid), again=lifecycle.UNTIL_SEEN)
    for state in (State.STOPPED, State.FAILED, State.TERMINATED):
        late = step(
            state,
            desired=Desired.TERMINATED if state is State.TERMINATED else Desired.STOPPED,
            settled_launch_no=1,
            attempt=attempt(state=AttemptState.GONE),
            pods=(stray,),
        )
        assert late == Act(effect=DeletePod(stray.uid), again=lifecycle.UNTIL_SEEN)


def test_what_has_failed_stays_failed_until_somebody_starts_it_again() -> None:
    gone = attempt(state=AttemptState.GONE)
    assert isinstance(step(State.FAILED, attempt=gone, settled_launch_no=1), Rest)
    found = step(State.FAILED, attempt=gone, launch_no=2, settled_launch_no=1)
    assert found == Move(to=State.QUEUED, reason="start_wished")


def test_what_has_finished_does_not_start_by_itself() -> None:
    gone = attempt(state=AttemptState.GONE)
    assert isinstance(step(State.STOPPED, attempt=gone, settled_launch_no=1), Rest)


def test_every_launch_ends_even_one_withdrawn_before_anybody_looked() -> None:
    withdrawn = step(State.STOPPED, desired=Desired.STOPPED, launch_no=2, settled_launch_no=1)
    assert withdrawn == Move(to=State.QUEUED, reason="start_wished")
    assert step(State.QUEUED, desired=Desired.STOPPED) == Move(
        to=State.STOPPED, reason="stop_wished"
    )


@pytest.mark.parametrize("state", [s for s in State if s is not State.TERMINATED])
def test_whatever_it_is_doing_an_instance_can_be_terminated(state: State) -> None:
    found = step(state, desired=Desired.TERMINATED)
    if state is State.TERMINATING:
        assert found == Move(to=State.TERMINATED, reason="")
    else:
        assert found == Move(to=State.TERMINATING, reason="terminate_wished")
    assert isinstance(found, Move)
    assert lifecycle.is_legal(from_state=state, to=found.to)
