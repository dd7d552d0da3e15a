"""Tell operators what is wrong with a cluster: one open alarm per thing, however often it is met.

An alarm is raised by whoever meets the trouble and settled by whoever sees that it is over;
a person may close it too.  Instances have dead letters, clusters have these.
"""

import logging
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet

from provisioning.errors import AlreadyClosed
from provisioning.models import Cluster, ClusterAlarm

logger = logging.getLogger(__name__)

IT_IS_OVER: Final = "over"


def open_alarms() -> QuerySet[ClusterAlarm]:
    """Return what is wrong now, latest first."""
    return ClusterAlarm.objects.filter(closed_at=None).select_related("cluster")


def raise_alarm(
    *, cluster: Cluster, code: str, at: datetime, subject: str = "", message: str = ""
) -> ClusterAlarm:
    """Say that something is wrong; a second time counts and replaces the message."""
    alarm, is_new = ClusterAlarm.objects.get_or_create(
        cluster=cluster,
        code=code,
        subject=subject,
        closed_at=None,
        defaults={"message": message, "first_at": at, "last_at": at},
    )
    if is_new:
        logger.error("%s: %s %s %s", cluster, code, subject, message)
    else:
        ClusterAlarm.objects.filter(pk=alarm.pk).update(
            count=F("count") + 1, last_at=at, message=message
        )
    return alarm


def settle_alarm(*, cluster: Cluster, code: str, at: datetime, subject: str = "") -> None:
    """Close an alarm because its cause is gone; none open is as good."""
    ClusterAlarm.objects.filter(cluster=cluster, code=code, subject=subject, closed_at=None).update(
        closed_at=at, close_reason=IT_IS_OVER
    )


@transaction.atomic
def close_alarm(*, alarm: ClusterAlarm, by: str, reason: str, at: datetime) -> ClusterAlarm:
    """Close an alarm by a person's word; it is raised again if the trouble is met again."""
    row = ClusterAlarm.objects.select_for_update().get(pk=alarm.pk)
    if row.closed_at is not None:
        raise AlreadyClosed
    row.closed_at, row.closed_by, row.close_reason = at, by, reason
    row.save(update_fields=["closed_at", "closed_by", "close_reason"])
    return row
