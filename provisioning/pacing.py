"""Create pods no faster than a cluster can bear, across all workers.

A cluster that never complains is not held back: its own priority and fairness decide.  One
that answers "too many requests" gets half of what we would ask of it at most, for a minute
after the last complaint.  The one column `paced_at` is the bucket: how far ahead of the
clock the creates already granted reach.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Coalesce, Greatest

from provisioning.models import Cluster

PER_SECOND: Final = 10.0
BURST: Final = 20
THROTTLED_FOR: Final = timedelta(seconds=60)
# Half the pace, so twice the interval; half the burst.
INTERVAL: Final = timedelta(seconds=2 / PER_SECOND)
AHEAD: Final = INTERVAL * (BURST // 2 - 1)


def note_complaint(cluster: Cluster, *, at: datetime) -> None:
    """The cluster asked us to slow down."""
    Cluster.objects.filter(pk=cluster.pk).update(throttled_until=at + THROTTLED_FOR)


def wait_for_turn(cluster: Cluster, *, at: datetime) -> timedelta | None:
    """Take the right to create one pod now; or say how long to wait before asking again."""
    if cluster.throttled_until is None or cluster.throttled_until <= at:
        return None
    granted = Q(paced_at__isnull=True) | Q(paced_at__lte=at + AHEAD)
    start = Greatest(Coalesce(F("paced_at"), Value(at)), Value(at))
    later = ExpressionWrapper(start + Value(INTERVAL), output_field=DateTimeField())
    is_mine = Cluster.objects.filter(granted, pk=cluster.pk).update(paced_at=later)
    return None if is_mine else INTERVAL
