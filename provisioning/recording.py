"""Write down what a pass concluded, under its lease, and hand the instance on.

The one door for a change of state.  Sleep is granted only if nobody has wished or seen
anything since the pass read the row: a stop that arrives during a pass is acted on at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Value, When

from provisioning import lifecycle, telling
from provisioning.errors import IllegalTransition
from provisioning.events import instance_state_changed
from provisioning.leasing import Claim
from provisioning.models import DeadLetter, Instance, Transition
from provisioning.states import ENDED, State
from provisioning.steps import Move


class LeaseLost(Exception):
    """The pass outlived its lease; whatever it concluded, somebody else goes on."""


def hand_back(
    claim: Claim,
    *,
    at: datetime,
    again: timedelta | None,
    changes: Mapping[str, Any] | None = None,
    move: Move | None = None,
    dead_letter: str = "",
) -> None:
    """Record, give the lease back, and say when to look again (None: when something happens).

    Called inside the transaction of whatever else the pass has to write.
    """
    instance = claim.instance
    is_unchanged = When(
        generation=instance.generation,
        observation_seq=instance.observation_seq,
        then=Value(None if again is None else at + again),
    )
    # What the move says of reason and failures comes after what the step found.
    concluded = {**(changes or {}), **(_moved(instance, move, at) if move else {})}
    concluded |= {
        "lease_token": None,
        "lease_until": None,
        "next_reconcile_at": Case(is_unchanged, default=F("next_reconcile_at")),
    }
    _write(claim, **concluded)
    if dead_letter:
        _call_somebody(instance, dead_letter, "", at)


@transaction.atomic
def record_move(claim: Claim, move: Move, *, at: datetime) -> None:
    """Write a change of state down and keep the lease: the same pass goes on from there."""
    changes = _moved(claim.instance, move, at)
    _write(claim, **changes)
    for name, value in changes.items():
        setattr(claim.instance, name, value)


def lock(claims: Sequence[Claim]) -> dict[UUID, tuple[int, int]]:
    """Hold the rows of several; returns which wish and which observation each has by now.

    Who is missing has lost its lease, or is being written to by somebody else: nobody waits
    with many rows in hand.  That one goes alone.
    """
    held = Instance.objects.filter(
        pk__in=[claim.instance.pk for claim in claims],
        lease_token__in={claim.token for claim in claims},
    )
    rows = held.select_for_update(no_key=True, skip_locked=True).order_by("pk")
    return {
        pk: (generation, observation_seq)
        for pk, generation, observation_seq in rows.values_list(
            "pk", "generation", "observation_seq"
        )
    }


def record_moves(
    claims: Sequence[Claim], move: Move, *, at: datetime, own: Mapping[UUID, Mapping[str, Any]]
) -> None:
    """Write one change of state down for several, with what each has of its `own` to change.

    Their rows are locked, and they keep their leases.
    """
    _write_all(claims, _moved_all(_instances(claims), move, at), own)


def hand_back_all(
    claims: Sequence[Claim],
    move: Move,
    *,
    at: datetime,
    again: timedelta,
    now: Mapping[UUID, tuple[int, int]],
) -> None:
    """Record one change of state of several, give the leases back, and say when to look again.

    Their rows are locked, and `now` is what `lock` has told.  Called inside the transaction of
    whatever else the passes have to write.
    """
    concluded = {**_moved_all(_instances(claims), move, at), "lease_token": None}
    sleep = {
        one.pk: {"next_reconcile_at": at + again}
        for one in _instances(claims)
        if now[one.pk] == (one.generation, one.observation_seq)
    }
    _write_all(claims, {**concluded, "lease_until": None}, sleep)


@transaction.atomic
def give_back(claims: Sequence[Claim]) -> None:
    """Give leases back of which nothing was made: whoever comes next goes on."""
    held = Instance.objects.filter(
        pk__in=[claim.instance.pk for claim in claims],
        lease_token__in={claim.token for claim in claims},
    )
    # In one order, so that two who write to several do not wait for each other.
    ids = list(held.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    Instance.objects.filter(pk__in=ids).update(lease_token=None, lease_until=None)


def _instances(claims: Iterable[Claim]) -> list[Instance]:
    return [claim.instance for claim in claims]


def _write(claim: Claim, **changes: Any) -> None:
    mine = Instance.objects.filter(pk=claim.instance.pk, lease_token=claim.token)
    if not mine.update(**changes):
        raise LeaseLost


def _write_all(
    claims: Sequence[Claim], same: Mapping[str, Any], own: Mapping[UUID, Mapping[str, Any]]
) -> None:
    """Write to locked rows, with one statement for all those that change alike."""
    alike: defaultdict[tuple[tuple[str, Any], ...], list[UUID]] = defaultdict(list)
    for instance in _instances(claims):
        alike[tuple(own.get(instance.pk, {}).items())].append(instance.pk)
    for changes, ids in alike.items():
        Instance.objects.filter(pk__in=ids).update(**same, **dict(changes))


def _moved(instance: Instance, move: Move, at: datetime) -> dict[str, Any]:
    changes = _moved_all([instance], move, at)
    return changes | ({"settled_launch_no": instance.launch_no} if move.to in ENDED else {})


def _moved_all(instances: Sequence[Instance], move: Move, at: datetime) -> dict[str, Any]:
    Transition.objects.bulk_create(_transition(one, move, at) for one in instances)
    for instance in instances:
        _tell(instance, move, at)
        if move.dead_letter:
            _call_somebody(instance, move.dead_letter, move.message, at)
    changes: dict[str, Any] = {"state": move.to, "reason": move.reason, "message": move.message}
    return changes | {"state_since": at, "failures": 0}


def _transition(instance: Instance, move: Move, at: datetime) -> Transition:
    from_state = State(instance.state)
    if not lifecycle.is_legal(from_state=from_state, to=move.to):
        raise IllegalTransition(f"{from_state} to {move.to}")
    return Transition(
        instance=instance,
        from_state=from_state,
        to_state=move.to,
        reason=move.reason,
        message=move.message,
        attempt_no=instance.attempt_no,
        at=at,
    )


def _tell(instance: Instance, move: Move, at: datetime) -> None:
    tell = partial(
        instance_state_changed.send_robust,
        sender=Instance,
        instance_id=instance.pk,
        from_state=State(instance.state),
        to_state=move.to,
        at=at,
    )
    transaction.on_commit(tell, robust=True)
    telling.tell_of_move(instance=instance, move=move, at=at)


def _call_somebody(instance: Instance, code: str, message: str, at: datetime) -> None:
    letter, is_new = DeadLetter.objects.get_or_create(
        instance=instance,
        code=code,
        closed_at=None,
        defaults={"message": message, "first_at": at, "last_at": at},
    )
    if not is_new:
        DeadLetter.objects.filter(pk=letter.pk).update(count=F("count") + 1, last_at=at)
