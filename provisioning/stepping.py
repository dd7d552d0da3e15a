"""Take one step with one instance: conclude what there is to conclude, do one thing, record it.

`reconciling` brings the passes.  A cluster is asked between two transactions, never inside one.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from provisioning import (
    alarms,
    attempts,
    breaking,
    carrying,
    counting,
    lifecycle,
    lingering,
    marking,
    namespacing,
    pacing,
    queueing,
    recording,
    refusals,
)
from provisioning.cluster.errors import TooManyRequests
from provisioning.errors import ClusterUnreachable, NoCapacity, ProvisioningError
from provisioning.models import Cluster, ClusterState, Instance
from provisioning.refusals import Answer
from provisioning.situations import Pass
from provisioning.states import State
from provisioning.steps import AT_ONCE, Act, CreatePod, Effect, Move, Place, Rest

logger = logging.getLogger(__name__)

LOOP: Final = "reconcile"


def step(of: Pass) -> None:
    """Conclude what there is to conclude, then do one thing, or none."""
    planned = lifecycle.plan(of=of.situation, now=of.at)
    while isinstance(planned, Move):
        of = _move(of, planned)
        planned = lifecycle.plan(of=of.situation, now=of.at)
    if isinstance(planned, Act):
        _act(of, planned)
    else:
        _rest(of, planned)


def _move(of: Pass, move: Move) -> Pass:
    recording.record_move(of.claim, move, at=of.at)
    counting.count(LOOP, f"moved to {move.to}")
    # A pod that is over has given its devices back, whatever becomes of the pod; and room was
    # left for whoever leaves the queue.
    if of.situation.state is State.QUEUED or any(pod.is_over for pod in of.situation.pods):
        _wake_queue(of.instance, of.at)
    return of.after(move)


def _rest(of: Pass, rest: Rest) -> None:
    said = {"reason": rest.reason, "message": rest.message}
    changes = {name: value for name, value in said.items() if value is not None}
    recording.hand_back(
        of.claim, at=of.at, again=rest.again, changes=changes, dead_letter=rest.dead_letter
    )


def _act(of: Pass, act: Act) -> None:
    cluster = carrying.cluster_of(act.effect, of)
    if cluster and (wait := _wait_for(cluster, act.effect, of)) is not None:
        recording.hand_back(of.claim, at=of.at, again=wait)
        return
    try:
        outcome = carrying.carry_out(act.effect, of)
        counting.count(LOOP, f"did {type(act.effect).__name__}")
        if cluster:
            breaking.note_answer(cluster)
        with transaction.atomic():
            changes = outcome.write()
            again = act.again if outcome.again is None else outcome.again
            recording.hand_back(of.claim, at=of.at, again=again, changes=changes, move=outcome.move)
    except ProvisioningError as error:
        answer(of, act.effect, error)
    else:
        if outcome.frees_devices:
            _wake_queue(of.instance, of.at)
        elif isinstance(act.effect, Place):
            # Room was left for those behind, who were told that there is none.
            queueing.wake_queue(
                family_id=of.instance.instance_type.family_id, at=of.at, heads=queueing.FOLLOW
            )


def _wait_for(cluster: Cluster, effect: Effect, of: Pass) -> timedelta | None:
    if not of.claim.has_time_for_a_call:
        return AT_ONCE
    wait = breaking.wait_for(cluster, at=of.at)
    if wait is None and marking.needs_check(cluster, at=of.at):
        # Seldom, for the sweep keeps it fresh; then this pass is spent on it, and the next acts.
        return _check(cluster, of)
    if wait is None and isinstance(effect, CreatePod):
        return pacing.wait_for_turn(cluster, at=of.at)
    return wait


def _check(cluster: Cluster, of: Pass) -> timedelta:
    try:
        may_act = marking.check(cluster, at=of.at)
    except ProvisioningError as error:
        _note(cluster, error, of.at)
        return marking.ASK_AGAIN
    breaking.note_answer(cluster)
    return AT_ONCE if may_act else marking.HELD_FOR


def answer(of: Pass, effect: Effect, error: ProvisioningError) -> None:
    """Record what follows from a refusal, for the instance and for the cluster that refused."""
    cluster = carrying.cluster_of(effect, of)
    level = logging.DEBUG if isinstance(error, NoCapacity) else logging.INFO
    logger.log(level, "%s: %s refused with %s", of.instance.pk, effect, error)
    counting.count(LOOP, f"refused with {error.code}")
    follows = refusals.answer(error=error, effect=effect, of=of.situation)
    if cluster:
        _note(cluster, error, of.at)
        _tell_operators(of, cluster, follows, error)
    failures = of.instance.failures + 1
    changes: dict[str, object] = {"failures": failures} if follows.is_failure else {}
    said = {"reason": follows.reason, "message": follows.message}
    changes |= {name: value for name, value in said.items() if value is not None}
    with transaction.atomic():
        if follows.drops_attempt and of.attempt:
            attempts.bury_attempt(attempt=of.attempt, at=of.at)
        if follows.forgets_namespace and cluster:
            namespacing.forget(cluster=cluster, tenant_id=of.instance.tenant_id)
        recording.hand_back(
            of.claim, at=of.at, again=follows.again, changes=changes, move=follows.move
        )


def _tell_operators(of: Pass, cluster: Cluster, follows: Answer, error: ProvisioningError) -> None:
    if follows.alarm:
        alarms.raise_alarm(cluster=cluster, code=follows.alarm, message=error.detail, at=of.at)
    if follows.pauses_cluster:
        # One that an operator drains or removes is not brought back by a later resume.
        active = Cluster.objects.filter(pk=cluster.pk, state=ClusterState.ACTIVE)
        active.update(state=ClusterState.PAUSED)
    if follows.awaits_namespace:
        lingering.note_terminating(
            cluster=cluster, tenant_id=of.instance.tenant_id, marks=of.marks, at=of.at
        )


def _note(cluster: Cluster, error: ProvisioningError, at: datetime) -> None:
    if isinstance(error, TooManyRequests):
        pacing.note_complaint(cluster, at=at)
        breaking.note_answer(cluster)
    elif isinstance(error, ClusterUnreachable):
        breaking.note_silence(cluster, at=at)
    else:
        breaking.note_answer(cluster)


def _wake_queue(instance: Instance, at: datetime) -> None:
    queueing.wake_queue(family_id=instance.instance_type.family_id, at=at)
