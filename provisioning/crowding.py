"""Bring a crowd of launches forward together: passes in, what became of each out.

They are placed in one transaction, and their pods are posted several at a time and written
down in another.  Nothing is decided here that a single pass would decide otherwise; whoever
is left goes on alone (`reconciling`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from provisioning import allotting, attempts, breaking, creating, queueing, recording, registries
from provisioning.cluster.errors import AlreadyExists
from provisioning.errors import NoCapacity, ProvisioningError
from provisioning.situations import Pass


@dataclass
class Crowd:
    """What became of several passes."""

    done: list[Pass] = field(default_factory=list)
    refused: list[tuple[Pass, ProvisioningError]] = field(default_factory=list)
    left: list[Pass] = field(default_factory=list)


def place(passes: Sequence[Pass]) -> Crowd:
    """Place instances of one family; they keep their leases.  Raises `LeaseLost`."""
    crowd, opened = Crowd(), {}
    first = passes[0]
    with transaction.atomic():
        found = allotting.open_attempts(
            instances=[of.instance for of in passes], marks=first.marks, at=first.at
        )
        for of in passes:
            outcome = found[of.instance.pk]
            if isinstance(outcome, NoCapacity):
                crowd.refused.append((of, outcome))
            else:
                crowd.done.append(of)
                opened[of.instance.pk] = {"attempt_no": outcome.no, "pool_id": outcome.pool_id}
        recording.record_moves(
            [of.claim for of in crowd.done], allotting.PLACED, at=first.at, own=opened
        )
    if crowd.done:
        # Room was left for those behind, who were told that there is none.
        queueing.wake_queue(
            family_id=first.instance.instance_type.family_id,
            at=first.at,
            heads=queueing.FOLLOW * len(crowd.done),
        )
    return crowd


def create(passes: Sequence[Pass]) -> Crowd:
    """Create the pods of several attempts and hand their instances back.

    Raises `LeaseLost`; what has been posted by then is found by whoever goes on.
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
    if created:
        _record(crowd.done, created)
    for cluster in {of.attempt.cluster for of in crowd.done if of.attempt}:
        breaking.note_answer(cluster)
    return crowd


def _record(passes: Sequence[Pass], created: Mapping[int, UUID]) -> None:
    at = passes[0].at
    with transaction.atomic():
        attempts.confirm_attempts(created, at=at)
        recording.hand_back_all(
            [of.claim for of in passes], creating.CREATED, at=at, again=creating.UNTIL_SEEN
        )
