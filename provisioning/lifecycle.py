"""The table of legal moves, and the next step of an instance: situation in, one step out.

Pure: `reconciling` gathers the situation and carries the step out.  Whatever order events
come in, whatever was lost or done twice, the step follows from what is there now.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from provisioning import faults
from provisioning.states import Desired, State, Supply
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

S = State
_WAYS_OUT: Final = frozenset({S.STOPPING, S.TERMINATING})
_THERE: Final = frozenset({S.SCHEDULING, S.STARTING, S.RUNNING, S.UNREACHABLE})
_ALIVE: Final = frozenset({S.STARTING, S.RUNNING, S.UNREACHABLE, S.RECOVERING, S.FAILED})

LEGAL_MOVES: Final[Mapping[State, frozenset[State]]] = {
    S.QUEUED: frozenset({S.PROVISIONING, S.FAILED, S.STOPPED, S.STOPPING, S.TERMINATING}),
    S.PROVISIONING: frozenset({S.SCHEDULING, S.QUEUED}) | _ALIVE - {S.UNREACHABLE} | _WAYS_OUT,
    S.SCHEDULING: frozenset({S.QUEUED}) | _ALIVE | _WAYS_OUT,
    S.STARTING: _ALIVE - {S.STARTING} | _WAYS_OUT,
    S.RUNNING: _ALIVE - {S.RUNNING} | _WAYS_OUT,
    S.UNREACHABLE: _ALIVE - {S.UNREACHABLE} | _WAYS_OUT,
    S.RECOVERING: frozenset({S.PROVISIONING, S.QUEUED, S.FAILED, S.STOPPED}) | _WAYS_OUT,
    S.STOPPING: frozenset({S.STOPPED, S.TERMINATING}),
    S.STOPPED: frozenset({S.QUEUED, S.TERMINATING}),
    S.FAILED: frozenset({S.QUEUED, S.STOPPED, S.TERMINATING}),
    S.TERMINATING: frozenset({S.TERMINATED}),
    S.TERMINATED: frozenset(),
}

PROVISIONING_DEADLINE: Final = timedelta(minutes=5)
SCHEDULING_DEADLINE: Final = timedelta(minutes=10)
STARTING_DEADLINE: Final = timedelta(minutes=15)
UNREACHABLE_DEADLINE: Final = timedelta(minutes=10)
ENDING_ALARM: Final = timedelta(minutes=11)
MOST_ATTEMPTS: Final = 5
MOST_DISRUPTIONS: Final = 10
MOST_FAILURES: Final = 8
POLL: Final = timedelta(seconds=30)
SLOW_POLL: Final = timedelta(minutes=5)
UNTIL_SEEN: Final = timedelta(seconds=5)
# Nodes come and device plugins start; a cluster without the product stays without.
SUPPLY_PATIENCE: Final = timedelta(seconds=60)
# The watcher's clock and the worker's may differ by this much without anything being wrong.
CLOCK_MARGIN: Final = timedelta(seconds=5)


def is_legal(*, from_state: State, to: State) -> bool:
    """Say whether an instance may go from one state to the other."""
    return to in LEGAL_MOVES[from_state]


def plan(*, of: Situation, now: datetime) -> Step:
    """Answer the one next step."""
    return _settle(of) or _ends(of, now) or _begins(of, now) or _continues(of, now)


# --- whatever the state: pods that may go, attempts whose pod is gone ---------------------


def _settle(of: Situation) -> Step | None:
    for pod in of.pods:
        # What became of a pod that was wanted is concluded before it is let go.
        is_wanted = pod is of.pod and of.state in _THERE
        if pod.is_deleting and pod.has_finalizer and pod.may_go and not is_wanted:
            return Act(effect=ReleasePod(pod.uid), again=UNTIL_SEEN)
    for no in of.vanished:
        return Act(effect=BuryAttempt(no))
    for pod in of.pods:
        if not pod.is_deleting and _is_left_over(pod, of):
            return Act(effect=DeletePod(pod.uid), again=UNTIL_SEEN)
    return None


def _is_left_over(pod: PodView, of: Situation) -> bool:
    if pod is not of.pod:
        return True
    return of.state in (S.QUEUED, S.RECOVERING, S.STOPPED, S.FAILED, S.TERMINATED)


# --- on the way out ----------------------------------------------------------------------


def _ends(of: Situation, now: datetime) -> Step | None:
    if of.state is S.TERMINATED:
        return Rest()
    if of.desired is Desired.TERMINATED:
        if of.state is not S.TERMINATING:
            return Move(to=S.TERMINATING, reason="terminate_wished")
        return _until_absent(of, now) or Move(to=S.TERMINATED, reason=of.reason)
    if of.state is S.STOPPING:
        return _until_absent(of, now) or Move(to=S.STOPPED, reason=of.reason)
    if of.desired is Desired.STOPPED:
        return _stops(of)
    return None


def _stops(of: Situation) -> Step:
    # A launch wished and withdrawn before anybody looked still begins, so that it also ends.
    if of.state in (S.STOPPED, S.FAILED) and of.launch_no > of.settled_launch_no:
        return Move(to=S.QUEUED, reason="start_wished")
    if of.state is S.STOPPED:
        return Rest()
    why = "lease_ended" if of.has_lease_ended else "stop_wished"
    nothing_there = of.live is None and not of.pods
    if of.state is S.FAILED or (of.state in (S.QUEUED, S.RECOVERING) and nothing_there):
        return Move(to=S.STOPPED, reason=why)
    return Move(to=S.STOPPING, reason=why)


def _until_absent(of: Situation, now: datetime) -> Step | None:
    """Delete what is there and wait; None once nothing is."""
    if of.live is not None and of.pod is None:
        uid = of.live.uid
        return Act(effect=DeletePod(uid) if uid else FindPod(), again=UNTIL_SEEN)
    for pod in of.pods:
        if not pod.is_deleting:
            return Act(effect=DeletePod(pod.uid), again=UNTIL_SEEN)
    # An earlier attempt's pod on a lost node runs nothing we know of and may go later.
    if not any(pod is of.pod or not pod.is_lost for pod in of.pods):
        return None
    if now - of.state_since > ENDING_ALARM:
        return Rest(again=SLOW_POLL, dead_letter="pod_will_not_go")
    return Rest(again=POLL)


# --- on the way in -----------------------------------------------------------------------


def _begins(of: Situation, now: datetime) -> Step | None:
    if of.state in (S.STOPPED, S.FAILED):
        if of.launch_no > of.settled_launch_no:
            return Move(to=S.QUEUED, reason="start_wished")
        return _looks_once_more(of)
    if of.state in (S.QUEUED, S.RECOVERING):
        return _clears_away(of) or _tries_again(of, now)
    if of.state is S.PROVISIONING:
        return _provisions(of, now)
    return None


def _looks_once_more(of: Situation) -> Step:
    """Find out what became of a pod whose creation was given up."""
    if of.live is not None and of.pod is None:
        return Act(effect=FindPod(), again=POLL)
    return Rest(again=POLL if of.pods else None)


def _clears_away(of: Situation) -> Step | None:
    """Let the last attempt's pod go before there is another; one on a lost node may stay."""
    if of.live is not None and of.pod is None:
        return Act(effect=FindPod(), again=UNTIL_SEEN)
    if any(not pod.is_lost for pod in of.pods):
        return Rest(again=POLL)
    return None


def _tries_again(of: Situation, now: datetime) -> Step:
    if of.lost_volumes:
        # What was on them is gone: an empty one in their place would be no help to anybody.
        return Move(to=S.FAILED, reason="volume_lost", message=", ".join(of.lost_volumes))
    if of.state is S.RECOVERING:
        if of.attempts_lately >= MOST_ATTEMPTS:
            return Move(to=S.FAILED, reason="too_many_attempts", dead_letter="too_many_attempts")
        if of.disruptions_lately >= MOST_DISRUPTIONS:
            why = "disrupted_too_often"
            return Move(to=S.FAILED, reason=why, dead_letter=why)
        wait = faults.pause_before_attempt(of) - (now - of.state_since)
        if wait > timedelta(0):
            return Rest(again=wait)
    return Act(effect=Place(), again=POLL)


def _provisions(of: Situation, now: datetime) -> Step:
    if of.live is None:
        return Move(to=S.QUEUED, reason=_why_gone(of, "attempt_dropped"))
    if of.live.uid is not None:
        return Move(to=S.SCHEDULING, reason="pod_adopted")
    if of.pod is not None:
        return Act(effect=AdoptPod(of.pod.uid))
    # Hours in which the cluster did not answer are not held against the instance.
    is_late = now - of.state_since > PROVISIONING_DEADLINE and of.failures > 0
    if is_late or of.failures >= MOST_FAILURES:
        return Move(to=S.FAILED, reason="not_provisioned", dead_letter="not_provisioned")
    return Act(effect=CreatePod() if of.is_namespace_ready else PrepareNamespace())


# --- there ---------------------------------------------------------------------------------


def _continues(of: Situation, now: datetime) -> Step:
    if of.live is None:
        return Move(to=S.RECOVERING, reason=_why_gone(of, "pod_vanished"))
    if of.pod is None:
        return _not_seen(of, of.live)
    if of.live.is_leaving and not of.pod.is_deleting and not of.pod.is_over:
        return Act(effect=DeletePod(of.pod.uid), again=UNTIL_SEEN)
    move = faults.conclude(of.pod)
    if of.live.is_leaving and move.reason == "deleted_outside":
        move = replace(move, reason="moved")
    if move.to is of.state:
        return _waits(of, move, now)
    return move if is_legal(from_state=of.state, to=move.to) else Rest(again=POLL)


def _why_gone(of: Situation, usual: str) -> str:
    return "cluster_lost" if of.attempt is not None and of.attempt.is_lost else usual


def _not_seen(of: Situation, live: AttemptView) -> Step:
    """Not seen yet is not lost: only a list begun since, and a look by name, can tell."""
    is_listed = of.listed_at and live.created_at and of.listed_at > live.created_at + CLOCK_MARGIN
    return Act(effect=FindPod(), again=POLL) if is_listed else Rest(again=POLL)


def _waits(of: Situation, same: Move, now: datetime) -> Step:
    spent = now - of.state_since
    is_unfit = of.state is S.SCHEDULING and same.reason == "unschedulable"
    if is_unfit and of.supply is not Supply.HERE:
        return _has_no_product(of, same, spent)
    if of.state is S.SCHEDULING and spent > SCHEDULING_DEADLINE:
        return Move(to=S.QUEUED, reason="not_scheduled", message=same.message)
    if of.state is S.STARTING and spent > STARTING_DEADLINE:
        return Move(
            to=S.FAILED, reason=same.reason, message=same.message, dead_letter="not_started"
        )
    if of.state is S.UNREACHABLE and spent > UNREACHABLE_DEADLINE:
        return Move(to=S.RECOVERING, reason="node_lost")
    return Rest(again=_left(of.state, spent), reason=same.reason, message=same.message)


def _has_no_product(of: Situation, same: Move, spent: timedelta) -> Step:
    if spent <= SUPPLY_PATIENCE:
        again = SUPPLY_PATIENCE - spent + timedelta(seconds=1)
        return Rest(again=again, reason=same.reason, message=same.message)
    if of.supply is Supply.ELSEWHERE:
        return Move(to=S.QUEUED, reason="not_scheduled", message=same.message)
    why = "no_such_product"
    return Move(to=S.FAILED, reason=why, message=same.message, dead_letter=why)


def _left(state: State, spent: timedelta) -> timedelta | None:
    deadline = {
        S.SCHEDULING: SCHEDULING_DEADLINE,
        S.STARTING: STARTING_DEADLINE,
        S.UNREACHABLE: UNREACHABLE_DEADLINE,
    }.get(state)
    return deadline - spent + timedelta(seconds=1) if deadline else None
