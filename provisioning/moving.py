"""Let an instance give up its pod for one elsewhere: the wish in, `lifecycle` does the rest.

The launch stays the same, and so does what it reserved.  The old pod is stopped first, for
two of one instance must not run at a time.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from provisioning import deferring
from provisioning.errors import IllegalTransition
from provisioning.models import Attempt, Instance
from provisioning.states import AttemptState, Desired, State

MOVABLE = frozenset({State.SCHEDULING, State.STARTING, State.RUNNING, State.UNREACHABLE})


def can_move(instance: Instance) -> bool:
    """Say whether there is a pod that could give way."""
    return instance.desired == Desired.RUNNING and instance.state in MOVABLE


@transaction.atomic
def move_instance(*, instance: Instance, at: datetime) -> Instance:
    """Wish that the instance stops where it is and runs elsewhere; twice is once."""
    fresh = Instance.objects.select_for_update().get(pk=instance.pk)
    if not can_move(fresh):
        raise IllegalTransition(f"It is {fresh.state}.")
    live = Attempt.objects.filter(instance=fresh, no=fresh.attempt_no)
    live = live.exclude(state=AttemptState.GONE)
    if live.filter(leave_wished_at=None).update(leave_wished_at=at):
        Instance.objects.filter(pk=fresh.pk).update(
            generation=F("generation") + 1, next_reconcile_at=at
        )
        deferring.defer_drain()
    instance.refresh_from_db()
    return instance
