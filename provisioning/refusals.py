"""What to do when the cluster does not do what a step asked: error in, answer out.

Pure.  An API that is down is nobody's failure; a full quota waits; a pod the cluster's
rules forbid will never be allowed.  Ending a pod is never given up, whatever is answered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from provisioning.cluster import errors
from provisioning.errors import ClusterUnreachable, NoCapacity, ProvisioningError
from provisioning.faults import jitter
from provisioning.states import State
from provisioning.steps import AT_ONCE, CreatePod, Effect, Move, PrepareNamespace
from provisioning.views import Situation


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to record after a step that failed."""

    again: timedelta
    move: Move | None = None
    reason: str | None = None
    message: str | None = None
    is_failure: bool = False
    """Counts against the instance's budget."""
    drops_attempt: bool = False
    """The pod is known not to be there, nor to come."""
    forgets_namespace: bool = False
    awaits_namespace: bool = False
    """The namespace is going; it is followed until it is gone."""
    pauses_cluster: bool = False
    alarm: str = ""
    """What operators are told about the cluster."""


POLL: Final = timedelta(seconds=30)
SHORTEST_PAUSE: Final = timedelta(seconds=0.2)
UNREACHABLE_WAIT: Final = 5.0
SHORTEST_QUOTA_WAIT: Final = 30.0
LONGEST_WAIT: Final = 300.0
SHORTEST_CONFLICT_WAIT: Final = 0.05
LONGEST_CONFLICT_WAIT: Final = 0.5
CREDENTIALS_WAIT: Final = timedelta(seconds=60)


def answer(*, error: ProvisioningError, effect: Effect, of: Situation) -> Answer:
    """Say what follows from an error."""
    if isinstance(error, ClusterUnreachable):
        pause = error.retry_after or UNREACHABLE_WAIT * jitter(of.seed, 0)
        return Answer(again=max(timedelta(seconds=min(pause, LONGEST_WAIT)), SHORTEST_PAUSE))
    if isinstance(error, NoCapacity):
        return _no_room(error, of)
    if isinstance(error, errors.Unauthenticated):
        # Nobody was let in, so nothing was done: the instance stays as it is.
        return Answer(again=CREDENTIALS_WAIT, pauses_cluster=True, alarm=error.code)
    if not isinstance(effect, CreatePod | PrepareNamespace):
        alarm = error.code if isinstance(error, errors.PermissionDenied) else ""
        return Answer(again=backoff(of), is_failure=True, alarm=alarm)
    kinds = [kind for kind in _ON_THE_WAY_IN if isinstance(error, kind)]
    return _ON_THE_WAY_IN[kinds[0]](error, of) if kinds else _never(error, of)


def backoff(of: Situation) -> timedelta:
    """Wait a random part of a time that doubles with every failure."""
    ceiling = min(LONGEST_WAIT, 2.0**of.failures)
    return max(SHORTEST_PAUSE, timedelta(seconds=ceiling * jitter(of.seed, of.failures)))


def _no_room(error: NoCapacity, of: Situation) -> Answer:
    again = timedelta(seconds=error.retry_after) if error.retry_after else POLL
    if of.state is State.QUEUED:
        return Answer(again=again, reason=error.reason, message=error.detail)
    return Answer(
        again=again, move=Move(to=State.QUEUED, reason=error.reason, message=error.detail)
    )


def _waits(error: ProvisioningError, of: Situation) -> Answer:
    # Waiting is no failure, but knocking ever more rarely is polite.
    ceiling = min(LONGEST_WAIT, SHORTEST_QUOTA_WAIT * 2.0**of.attempts_refused)
    wait = max(SHORTEST_QUOTA_WAIT, ceiling * jitter(of.seed, of.attempts_refused))
    move = Move(to=State.QUEUED, reason=error.code, message=error.detail)
    return Answer(
        again=timedelta(seconds=wait),
        move=move,
        drops_attempt=True,
        awaits_namespace=isinstance(error, errors.NamespaceTerminating),
    )


def _calls_operator(error: ProvisioningError, of: Situation) -> Answer:
    move = Move(to=State.QUEUED, reason=error.code, message=error.detail)
    return Answer(
        again=AT_ONCE, move=move, drops_attempt=True, pauses_cluster=True, alarm=error.code
    )


def _same_again(error: ProvisioningError, of: Situation) -> Answer:
    return Answer(again=backoff(of), is_failure=True)


def _same_soon(error: ProvisioningError, of: Situation) -> Answer:
    return Answer(again=timedelta(seconds=conflict_pause(of.seed, 0)))


def conflict_pause(seed: int, turn: int) -> float:
    """Wait for the quota's other writer, not at the same moment as everybody else."""
    spread = LONGEST_CONFLICT_WAIT - SHORTEST_CONFLICT_WAIT
    return SHORTEST_CONFLICT_WAIT + spread * jitter(seed, turn)


def _prepares_again(error: ProvisioningError, of: Situation) -> Answer:
    return Answer(again=backoff(of), is_failure=True, forgets_namespace=True)


def _never(error: ProvisioningError, of: Situation) -> Answer:
    move = Move(to=State.FAILED, reason=error.code, message=error.detail, dead_letter=error.code)
    return Answer(again=AT_ONCE, move=move, drops_attempt=True)


_ON_THE_WAY_IN: Final[
    dict[type[ProvisioningError], Callable[[ProvisioningError, Situation], Answer]]
] = {
    errors.QuotaExceeded: _waits,
    errors.NamespaceTerminating: _waits,
    errors.PermissionDenied: _calls_operator,
    errors.NamespaceMissing: _prepares_again,
    errors.NotFound: _prepares_again,
    errors.QuotaConflict: _same_soon,
    errors.Conflict: _same_again,
    errors.Expired: _same_again,
}
