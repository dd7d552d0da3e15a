"""Write down what a pass concluded, under its lease, and hand the instance on.

The one door for a change of state.  Sleep is granted only if nobody has wished or seen
anything since the pass read the row: a stop that arrives during a pass is acted on at once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

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


def _write(claim: Claim, **changes: Any) -> None:
    mine = Instance.objects.filter(pk=claim.instance.pk, lease_token=claim.token)
    if not mine.update(**changes):
        raise LeaseLost


def _moved(instance: Instance, move: Move, at: datetime) -> dict[str, Any]:
    from_state = State(instance.state)
    if not lifecycle.is_legal(from_state=from_state, to=move.to):
        raise IllegalTransition(f"{from_state} to {move.to}")
    Transition.objects.create(
        instance=instance,
        from_state=from_state,
        to_state=move.to,
        reason=move.reason,
        message=move.message,
        attempt_no=instance.attempt_no,
        at=at,
    )
    tell = partial(
        instance_state_changed.send_robust,
        sender=Instance,
        instance_id=instance.pk,
        from_state=from_state,
        to_state=move.to,
        at=at,
    )
    transaction.on_commit(tell, robust=True)
    telling.tell_of_move(instance=instance, move=move, at=at)
    if move.dead_letter:
        _call_somebody(instance, move.dead_letter, move.message, at)
    changes: dict[str, Any] = {"state": move.to, "reason": move.reason, "message": move.message}
    changes |= {"state_since": at, "failures": 0}
    return changes | ({"settled_launch_no": instance.launch_no} if move.to in ENDED else {})


def _call_somebody(instance: Instance, code: str, message: str, at: datetime) -> None:
    letter, is_new = DeadLetter.objects.get_or_create(
        instance=instance,
        code=code,
        closed_at=None,
        defaults={"message": message, "first_at": at, "last_at": at},
    )
    if not is_new:
        DeadLetter.objects.filter(pk=letter.pk).update(count=F("count") + 1, last_at=at)
