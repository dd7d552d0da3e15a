"""Who waits for a family, in which order, and who wakes them.

The order is fair between projects: everybody's first wish comes before anybody's second.
`attempts` asks whom to leave room for; whoever frees a device wakes the head of the queue.
"""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from provisioning import deferring
from provisioning.models import Instance
from provisioning.states import Desired, State

# Beyond so many ahead the answer is "wait" anyway.
MOST_AHEAD: Final = 200
WOKEN: Final = 20


def waiting_for(family_id: int) -> QuerySet[Instance]:
    """Return those who wait for the family, first served first."""
    turn = Window(RowNumber(), partition_by=F("project_id"), order_by=[F("launched_at"), F("pk")])
    waiting = Instance.objects.filter(
        state=State.QUEUED, desired=Desired.RUNNING, instance_type__family=family_id
    )
    return waiting.annotate(turn=turn).order_by("turn", "launched_at", "pk")


def ahead_of(instance: Instance) -> list[int]:
    """Return the device counts of those who are served before the instance."""
    counts = []
    order = waiting_for(instance.instance_type.family_id).values_list("pk", "device_count")
    for pk, count in order[:MOST_AHEAD]:
        if pk == instance.pk:
            break
        counts.append(count)
    return counts


def position_of(instance: Instance) -> int | None:
    """Return the instance's place in the queue, from 1; None when it does not wait."""
    order = waiting_for(instance.instance_type.family_id).values_list("pk", flat=True)
    return next((place for place, pk in enumerate(order, 1) if pk == instance.pk), None)


@transaction.atomic
def wake_queue(*, family_id: int, at: datetime) -> None:
    """Let the first ones look again, for a device may be free."""
    heads = list(waiting_for(family_id).values_list("pk", flat=True)[:WOKEN])
    if not heads:
        return
    # In one order, so that two who wake do not wait for each other.
    list(Instance.objects.select_for_update().filter(pk__in=heads).order_by("pk").only("pk"))
    # A pass that found nothing free a moment ago must not sleep over this.
    Instance.objects.filter(pk__in=heads).update(
        next_reconcile_at=at, observation_seq=F("observation_seq") + 1
    )
    deferring.defer_drain()
