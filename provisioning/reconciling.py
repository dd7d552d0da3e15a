"""Bring instances one step nearer to what is wished of them.

Level-triggered: claim the instances that have been due for longest, look at what is there
(`situations`), let `lifecycle` answer the one next step of each, carry it out, record it.  A
hint may come late, twice or never; each pass starts from the rows.  A crowd on its way in
goes together (`crowding`).
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from django.db import DatabaseError, InterfaceError, OperationalError

from provisioning import (
    carrying,
    counting,
    crowding,
    deferring,
    leasing,
    lifecycle,
    marking,
    recording,
    situations,
    stepping,
)
from provisioning.crowding import Crowd
from provisioning.leasing import Claim
from provisioning.models import Cluster
from provisioning.situations import Pass
from provisioning.steps import (
    Act,
    CreatePod,
    Effect,
    Place,
    PrepareNamespace,
)

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
# The database itself is in the way; what it refuses of one row is that row's trouble.
_GONE: Final = (OperationalError, InterfaceError)

# Shorter than a task's soft limit by more than the longest pass, or the posting of a crowd.
LONGEST_DRAIN: Final = timedelta(seconds=10)
TOGETHER: Final = 50
# Others may have time for those that this one does not come to.
LONGEST_HOLD: Final = timedelta(seconds=2)
PAUSE_AFTER_ERROR: Final = timedelta(seconds=30)


def drain_due(*, clock: Clock) -> int:
    """Move due instances until none is left, and say how many passes that took."""
    began, passes = clock(), 0
    with counting.adding_up(at=began):
        while clock() - began < LONGEST_DRAIN:
            claims = leasing.claim_due(at=clock(), most=TOGETHER)
            if not claims:
                return passes
            passes += reconcile_all(claims, clock=clock)
    deferring.defer_drain()
    return passes


def reconcile_all(claims: Sequence[Claim], *, clock: Clock) -> int:
    """Take those who are on their way in together, and a step with each of the others.

    Returns how many passes there was time for; who was left is still due.
    """
    try:
        return _take_all(claims, clock)
    except Exception:
        # What stopped us is not theirs; a database that is gone gives them back by itself.
        with suppress(DatabaseError):
            recording.give_back(claims)
        raise


def _take_all(claims: Sequence[Claim], clock: Clock) -> int:
    passes = _gather(claims, at=clock())
    if len(passes) == 1:
        _take(passes[0])
        return len(claims)
    left, spare = _one_per_namespace(_go_together(passes))
    began = clock()
    for number, of in enumerate(left):
        if number and clock() - began > LONGEST_HOLD:
            spare += left[number:]
            break
        # What happened since, the silence of a cluster say, is to be known.
        for claim in leasing.renew([of.claim]):
            reconcile(claim, at=clock())
    recording.give_back([of.claim for of in spare])
    return len(claims) - len(spare)


def reconcile(claim: Claim, *, at: datetime) -> None:
    """Take one step with a claimed instance."""
    for of in _gather([claim], at=at):
        _take(of)


def _gather(claims: Sequence[Claim], *, at: datetime) -> list[Pass]:
    try:
        return situations.gather_all(claims, at=at)
    except _GONE:
        raise
    except Exception:
        if len(claims) == 1:
            logger.exception("the rows of %s cannot be read", claims[0].instance.pk)
            _put_off(claims[0], at)
            return []
    # What is wrong with one instance must not hold up the others.
    return [of for claim in claims for of in _gather([claim], at=at)]


def _take(of: Pass) -> None:
    try:
        if of.is_held:
            recording.hand_back(of.claim, at=of.at, again=marking.HELD_FOR)
        else:
            stepping.step(of)
    except recording.LeaseLost:
        counting.count(stepping.LOOP, "lease_lost")
        logger.warning("lease of %s lost; somebody else goes on", of.instance.pk)
    except _GONE:
        raise
    except Exception:
        logger.exception("pass over %s failed", of.instance.pk)
        _put_off(of.claim, of.at)


def _put_off(claim: Claim, at: datetime) -> None:
    counting.count(stepping.LOOP, "failed")
    with suppress(recording.LeaseLost):
        recording.hand_back(claim, at=at, again=PAUSE_AFTER_ERROR)


# --- many at once ----------------------------------------------------------------------------


def _go_together(passes: list[Pass]) -> list[Pass]:
    """Place and create what can go together; returns the passes that go on alone."""
    for crowd in _placing(passes):
        passes = _go(crowd, Place(), crowding.place, among=passes)
    for crowd in _creating(passes):
        passes = _go(crowd, CreatePod(), crowding.create, among=passes)
    return passes


def _go(
    crowd: list[Pass], effect: Effect, take: Callable[[list[Pass]], Crowd], *, among: list[Pass]
) -> list[Pass]:
    """Do the same for a crowd; returns the passes that go on from there, and the others."""
    ids = {of.instance.pk for of in crowd}
    others = [of for of in among if of.instance.pk not in ids]
    try:
        result = take(crowd)
    except _GONE:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it comes up again and is told
        # One of them spoilt it for all; each by itself shows which.
        logger.info("a crowd of %d goes on one by one: %r", len(crowd), error)
        return others + _again(crowd)
    counting.count(stepping.LOOP, f"did {type(effect).__name__}", len(result.done))
    for of, refusal in result.refused:
        with suppress(recording.LeaseLost):
            stepping.answer(of, effect, refusal)
    return others + _again(result.left + (result.done if isinstance(effect, Place) else []))


def _again(passes: Sequence[Pass]) -> list[Pass]:
    """Read anew: their rows as they are now, and what there is of pods and attempts."""
    claims = leasing.renew([of.claim for of in passes])
    return _gather(claims, at=passes[0].at) if claims else []


def _placing(passes: Iterable[Pass]) -> list[list[Pass]]:
    """Return crowds to be placed: each of one family."""
    crowds: defaultdict[int, list[Pass]] = defaultdict(list)
    for of in passes:
        # Two with the same volume are for one after the other.
        if isinstance(_effect(of), Place) and not of.instance.volumes.all():
            crowds[of.instance.instance_type.family_id].append(of)
    return [crowds[family_id] for family_id in sorted(crowds) if len(crowds[family_id]) > 1]


def _creating(passes: Iterable[Pass]) -> list[list[Pass]]:
    """Return the crowd whose pods can be created at once: on clusters without any trouble."""
    calm: dict[int, bool] = {}
    crowd = []
    for of in passes:
        if isinstance(_effect(of), CreatePod) and (cluster := carrying.cluster_of(CreatePod(), of)):
            if cluster.pk not in calm:
                calm[cluster.pk] = _is_calm(cluster, of.at)
            if calm[cluster.pk]:
                crowd.append(of)
    return [crowd] if len(crowd) > 1 else []


def _is_calm(cluster: Cluster, at: datetime) -> bool:
    is_throttled = cluster.throttled_until is not None and cluster.throttled_until > at
    answers = cluster.breaker_until is None
    return answers and not is_throttled and not marking.needs_check(cluster, at=at)


def _one_per_namespace(passes: Iterable[Pass]) -> tuple[list[Pass], list[Pass]]:
    """Let one prepare a namespace, and the others come back when it is ready."""
    kept: list[Pass] = []
    spare: list[Pass] = []
    seen = set()
    for of in passes:
        if not isinstance(_effect(of), PrepareNamespace):
            kept.append(of)
            continue
        namespace = of.attempt and of.attempt.cluster_id, of.instance.tenant_id
        (spare if namespace in seen else kept).append(of)
        seen.add(namespace)
    return kept, spare


def _effect(of: Pass) -> Effect | None:
    step = None if of.is_held else lifecycle.plan(of=of.situation, now=of.at)
    return step.effect if isinstance(step, Act) else None
