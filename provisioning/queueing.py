"""Who waits for a family, in which order, and who wakes them.

The order is fair between projects: whoever has less is served first.  `allotting` asks whom
to leave room for; whoever frees a device wakes the head of the queue.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Count

from provisioning import placing, waking
from provisioning.models import Attempt, Instance
from provisioning.placing import Waiting
from provisioning.states import AttemptState, Desired, State

WOKEN: Final = 20
# Whoever is placed wakes so many behind: each of them wakes as many again while there is room.
FOLLOW: Final = 3


def waiting_for(family_id: int) -> list[Waiting]:
    """Return those who wait for the family, next to be served first."""
    wishes = Instance.objects.filter(
        state=State.QUEUED, desired=Desired.RUNNING, instance_type__family=family_id
    ).order_by("launched_at", "pk")
    rows = wishes.values_list("pk", "project_id", "device_count")
    live = Attempt.objects.filter(pool__family=family_id).exclude(state=AttemptState.GONE)
    having = live.values_list("instance__project_id").annotate(count=Count("pk")).order_by()
    return placing.fair_order((Waiting(*row) for row in rows), having=dict(having))


def position_of(instance: Instance) -> int | None:
    """Return the instance's place in the queue, from 1; None when it does not wait."""
    order = waiting_for(instance.instance_type.family_id)
    return next((place for place, one in enumerate(order, 1) if one.id == instance.pk), None)


def wake_queue(
    *, family_id: int, at: datetime, heads: int = WOKEN, besides: Collection[UUID] = ()
) -> None:
    """Let the first ones look again, for a device may be free."""
    first = [one.id for one in waiting_for(family_id) if one.id not in besides][:heads]
    if first:
        waking.wake(Instance.objects.filter(pk__in=first), at=at)
