"""Let volumes go whose time is up, after their tenant was told in time."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from provisioning import events, marking, volumes
from provisioning.errors import UnknownVolume, VolumeInUse
from provisioning.models import Volume

WARNED_BEFORE: Final = timedelta(days=7)
LEAST_NOTICE: Final = timedelta(days=1)


def expire_volumes(*, at: datetime) -> int:
    """Warn of what ends soon, delete what has ended; say how many went.

    Not on a held cluster: what an old database takes for the end may have been moved since.
    """
    known = Volume.objects.exclude(cluster__in=marking.held_clusters())
    near = known.filter(is_wanted=True, expires_at__lte=at + WARNED_BEFORE)
    for volume in near.filter(warned_at=None).order_by("expires_at"):
        _warn(volume, at)
    gone = 0
    # Nothing goes unless its tenant was told a day before, even where we were down meanwhile.
    warned = known.filter(warned_at__lte=at - LEAST_NOTICE)
    for volume in warned.filter(is_wanted=True, expires_at__lte=at).order_by("expires_at"):
        try:
            volumes.delete_volume(volume=volume, at=at)
        except (VolumeInUse, UnknownVolume):
            # Who still has it keeps it; it goes when the last instance is terminated.
            continue
        gone += 1
    return gone


@transaction.atomic
def _warn(volume: Volume, at: datetime) -> None:
    same = Volume.objects.filter(pk=volume.pk, expires_at=volume.expires_at, warned_at=None)
    if volume.expires_at is None or not same.update(warned_at=at):
        return
    events.tell_tenant(
        kind="volume_expiring",
        tenant_id=volume.tenant_id,
        at=at,
        once=f"{volume.pk}/{volume.expires_at.isoformat()}",
        volume=volume.name,
        ends_at=volume.expires_at.isoformat(),
    )
