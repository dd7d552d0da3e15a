"""Set devices aside for instances, never more than were granted.

Every change of what is reserved happens under the lock of the Quota row, so that of
many launches at once exactly as many pass as there is room for.  `releasing` gives back.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from portal.quotas import queries
from portal.quotas.errors import QuotaExceeded
from portal.quotas.models import Quota, QuotaEntry
from portal.tenants.models import Project
from provisioning.models import Family


def lock_quota(*, project: Project, family: Family) -> Quota | None:
    """Wait until nobody else changes the quota; it is ours until the commit."""
    return Quota.objects.select_for_update().filter(project=project, family=family).first()


def require_room(quota: Quota | None, *, devices: int) -> Quota:
    """Refuse what the quota has no room for; the caller holds its lock."""
    # Read after the lock: the entries of whoever held it before us are committed by now.
    free = queries.headroom_in(quota.entries.all()).free if quota else 0
    if quota is None or devices > free:
        raise QuotaExceeded(wanted=devices, free=free)
    return quota


@transaction.atomic
def reserve_quota(
    *,
    project: Project,
    family: Family,
    devices: int,
    instance_id: UUID,
    at: datetime,
    by: str = "",
) -> None:
    """Set devices aside for one instance, unless it still holds them from before."""
    quota = lock_quota(project=project, family=family)
    if queries.open_reservations().filter(instance_id=instance_id).exists():
        return
    quota = require_room(quota, devices=devices)
    enter_reservations(quota=quota, devices=devices, instance_ids=[instance_id], at=at, by=by)


def enter_reservations(
    *, quota: Quota, devices: int, instance_ids: Iterable[UUID], at: datetime, by: str
) -> None:
    """Write one entry per instance; the caller holds the lock and has checked the room."""
    QuotaEntry.objects.bulk_create(
        QuotaEntry(
            quota=quota,
            kind=QuotaEntry.Kind.RESERVE,
            delta=-devices,
            instance_id=instance_id,
            at=at,
            by=by,
        )
        for instance_id in instance_ids
    )
