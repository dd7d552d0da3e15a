"""Give a project the right to hold devices, or take some of it back.

Only `portal.requests.approving` and staff come here; what the right is used for is
`portal.quotas.reserving`'s affair.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from portal.quotas import queries, reserving
from portal.quotas.errors import DevicesOutOfRange, QuotaInUse
from portal.quotas.models import Quota, QuotaEntry
from portal.tenants.models import Project, User
from provisioning.models import Family


@transaction.atomic
def grant_quota(
    *,
    project: Project,
    family: Family,
    devices: int,
    quota_request_id: UUID,
    by: User,
    at: datetime,
) -> QuotaEntry:
    """Add devices to what a project may hold, as one approved request says."""
    if devices <= 0:
        raise DevicesOutOfRange
    quota, _ = Quota.objects.get_or_create(
        project=project, family=family, defaults={"created_at": at}
    )
    return quota.entries.create(
        kind=QuotaEntry.Kind.GRANT,
        delta=devices,
        quota_request_id=quota_request_id,
        by=by.email,
        at=at,
    )


@transaction.atomic
def adjust_quota(*, quota: Quota, delta: int, by: User, at: datetime, note: str) -> QuotaEntry:
    """Change what was granted; what is reserved stays covered."""
    if delta == 0:
        raise DevicesOutOfRange
    reserving.lock_quota(project=quota.project, family=quota.family)
    if queries.headroom_in(quota.entries.all()).free + delta < 0:
        raise QuotaInUse
    return quota.entries.create(
        kind=QuotaEntry.Kind.ADJUST, delta=delta, by=by.email, at=at, note=note
    )
