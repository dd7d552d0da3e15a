"""Bring a crowd of launches forward together: passes in, what became of each out.

They are placed in one transaction, and their pods are posted several at a time and written
down in another.  Nothing is decided here that a single pass would decide otherwise; whoever
is left goes on alone (`reconciling`).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from provisioning import (
    allotting,
    attempts,
    breaking,
    creating,
    offers,
    queueing,
    recording,
    registries,
)
from provisioning.allotting import PLACED
from provisioning.cluster.errors import AlreadyExists
from provisioning.creating import CREATED, UNTIL_SEEN
from provisioning.errors import NoCapacity, ProvisioningError
from provisioning.situations import Pass


@dataclass
class Crowd:
    """What became of several passes."""

    done: list[Pass] = field(default_factory=list)
    refused: list[tuple[Pass, ProvisioningError]] = field(default_factory=list)
    left: list[Pass] = field(default_factory=list)


def place(passes: Sequence[Pass]) -> Crowd:
    """Place instances of one family; they keep their leases."""
    family_id, at = passes[0].instance.instance_type.family_id, passes[0].at
    crowd, opened = Crowd(), {}
    with transaction.atomic():
        offers.lock_pools(family_id=family_id, at=at)
        free = recording.lock([of.claim for of in passes])
        crowd.left = [of for of in passes if of.instance.pk not in free]
        mine = [of for of in passes if of.instance.pk in free]
        found = _open_attempts(mine)
        for of in mine:
            outcome = found[of.instance.pk]
            if isinstance(outcome, NoCapacity):
                crowd.refused.append((of, outcome))
            else:
                crowd.done.append(of)
                opened[of.instance.pk] = {"attempt_no": outcome.no, "pool_id": outcome.pool_id}
        recording.record_moves([of.claim for of in crowd.done], PLACED, at=at, own=opened)
    if crowd.done:
        # Room was left for those behind, who were told that there is none.
        heads = queueing.FOLLOW * len(crowd.done)
        told = {of.instance.pk for of, _ in crowd.refused}
        queueing.wake_queue(family_id=family_id, at=at, heads=heads, besides=told)
    return crowd


def _open_attempts(passes: Sequence[Pass]) -> allotting.Found:
    if not passes:
        return {}
    instances = [of.instance for of in passes]
    return allotting.open_attempts(instances=instances, marks=passes[0].marks, at=passes[0].at)


def create(passes: Sequence[Pass]) -> Crowd:
    """Create the pods of several attempts and hand their instances back.

    What has been posted and could not be recorded is found by whoever goes on.
    """
    logins = registries.logins_for(of.instance for of in passes)
    ordered = [(of, creating.order_for(of, login=logins.get(of.instance.pk))) for of in passes]
    crowd = Crowd(left=[of for of, order in ordered if order is None])
    orders = [(of, order) for of, order in ordered if order is not None]
    answers = creating.post_all([order for _, order in orders])
    created: dict[int, UUID] = {}
    for (of, _), answer in zip(orders, answers, strict=True):
        if isinstance(answer, UUID) and of.attempt is not None:
            created[of.attempt.pk] = answer
            crowd.done.append(of)
        elif answer is None or isinstance(answer, AlreadyExists):
            crowd.left.append(of)
        elif isinstance(answer, ProvisioningError):
            crowd.refused.append((of, answer))
    if crowd.done:
        _record(crowd.done, created)
    for cluster in {of.attempt.cluster for of in crowd.done if of.attempt}:
        breaking.note_answer(cluster)
    return crowd


def _record(passes: Sequence[Pass], created: Mapping[int, UUID]) -> None:
    with transaction.atomic():
        now = recording.lock([of.claim for of in passes])
        free = [of for of in passes if of.instance.pk in now]
        _confirm(free, created)
        claims = [of.claim for of in free]
        recording.hand_back_all(claims, CREATED, at=passes[0].at, again=UNTIL_SEEN, now=now)
    for of in passes:
        if of.instance.pk not in now:
            _record_alone(of, created)


def _record_alone(of: Pass, created: Mapping[int, UUID]) -> None:
    with suppress(recording.LeaseLost), transaction.atomic():
        _confirm([of], created)
        recording.hand_back(of.claim, at=of.at, again=UNTIL_SEEN, move=CREATED)


def _confirm(passes: Sequence[Pass], created: Mapping[int, UUID]) -> None:
    for_these = {of.attempt.pk: created[of.attempt.pk] for of in passes if of.attempt}
    if for_these:
        attempts.confirm_attempts(for_these, at=passes[0].at)
