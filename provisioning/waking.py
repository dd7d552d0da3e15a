"""Let instances be looked at again: whatever may have changed for them in, due rows out.

Whoever frees a device, a volume or a quota, or hears of a node, asks here; `reconciling`
finds the rows, hinted at or not.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from provisioning import deferring
from provisioning.models import Instance


@transaction.atomic(savepoint=False)
def wake(instances: QuerySet[Instance], *, at: datetime) -> int:
    """Make these due, and say how many there were; a pass under way will not sleep over it."""
    # In one order, so that two who wake several do not wait for each other.
    held = instances.order_by("pk").select_for_update(of=("self",), no_key=True)
    woken = Instance.objects.filter(pk__in=held.values("pk")).update(
        observation_seq=F("observation_seq") + 1, next_reconcile_at=at
    )
    if woken:
        deferring.defer_drain()
    return woken
