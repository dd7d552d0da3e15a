"""Remind tenants of ends that come near, while there is time to move them.

Run every minute.  A reminder is told once per end: an end that is moved is a new one.
"""

from datetime import datetime, timedelta
from typing import Final

from provisioning import events
from provisioning.models import Instance
from provisioning.states import Desired, State

# The longer a lease, the earlier its tenant wants to know.
AHEAD: Final = (timedelta(hours=24), timedelta(hours=1))
# Told no earlier than when this much of the lease is over, or every launch would begin with it.
SHARE_LEFT: Final = 0.25


def remind_of_ends(*, at: datetime) -> int:
    """Tell of every lease that ends soon, and say of how many for the first time."""
    ending = Instance.objects.filter(
        desired=Desired.RUNNING, ends_at__gt=at, ends_at__lte=at + max(AHEAD)
    ).exclude(state__in=(State.STOPPED, State.FAILED))
    return sum(_remind(instance, at) for instance in ending.order_by("ends_at"))


def _remind(instance: Instance, at: datetime) -> bool:
    assert instance.ends_at is not None  # noqa: S101 - the query asks for no others
    left, whole = instance.ends_at - at, instance.ends_at - instance.launched_at
    near = [ahead for ahead in AHEAD if left <= ahead and ahead <= whole * SHARE_LEFT]
    if not near:
        return False
    told = events.tell_tenant(
        kind="lease_ending",
        tenant_id=instance.tenant_id,
        instance_id=instance.pk,
        at=at,
        once=f"{instance.ends_at.isoformat()}/{min(near)}",
        instance=instance.name,
        ends_at=instance.ends_at.isoformat(),
    )
    return told is not None
