"""Give back what instances held: once per launch, when they have ended.

A hint asks for one instance, the sweep asks for all; both look at the instance itself
under the quota's lock.  Starting again takes the same lock, so a late hint cannot take
the reservation of the next launch.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from portal.quotas import queries, reserving
from portal.quotas.models import QuotaEntry
from provisioning.models import Instance
from provisioning.states import ENDED


@transaction.atomic
def release_quota(*, instance_id: UUID, at: datetime, note: str = "") -> int:
    """Release what the instance holds; a second call finds nothing left to release."""
    reservation = _open_reservation(instance_id)
    return 0 if reservation is None else _release(reservation, at=at, note=note)


@transaction.atomic
def release_if_ended(*, instance_id: UUID, at: datetime) -> int:
    """Release what the instance holds, if it has ended by now."""
    reservation = _open_reservation(instance_id)
    if reservation is None or not _ended().filter(pk=instance_id).exists():
        return 0
    return _release(reservation, at=at, note="")


def sweep_reservations(*, at: datetime) -> int:
    """Release what ended instances still hold; answers how many it released."""
    held = queries.open_reservations().values("instance_id")
    ended = _ended().filter(pk__in=held).values_list("pk", flat=True)
    return sum(bool(release_if_ended(instance_id=pk, at=at)) for pk in ended)


def _ended() -> QuerySet[Instance]:
    # Started again, but not yet reconciled, it still shows the end of the launch before.
    return Instance.objects.filter(state__in=ENDED, settled_launch_no=F("launch_no"))


def _open_reservation(instance_id: UUID) -> QuotaEntry | None:
    held = queries.open_reservations().filter(instance_id=instance_id)
    reservation = held.select_related("quota__project", "quota__family").first()
    if reservation is None:
        return None
    quota = reservation.quota
    reserving.lock_quota(project=quota.project, family=quota.family)
    # Whoever held the lock before us may have released it.
    return held.first()


def _release(reservation: QuotaEntry, *, at: datetime, note: str) -> int:
    QuotaEntry.objects.create(
        quota_id=reservation.quota_id,
        kind=QuotaEntry.Kind.RELEASE,
        delta=-reservation.delta,
        instance_id=reservation.instance_id,
        reservation=reservation,
        at=at,
        note=note,
    )
    return -reservation.delta
