"""Stop asking a cluster that does not answer, and find out when it does again.

Five calls without an answer within half a minute open the breaker for a while; then one
caller of all processes may try, and the others wait for what it learns.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Case, F, Q, Value, When

from provisioning.models import Cluster

FAILURES: Final = 5
WINDOW: Final = timedelta(seconds=30)
OPEN_FOR: Final = timedelta(seconds=15)
# Longer than the longest call, so that the one who tries is alone for as long as it takes.
PROBE_FOR: Final = timedelta(seconds=15)


def wait_for(cluster: Cluster, *, at: datetime) -> timedelta | None:
    """Return how long to leave the cluster alone; None when it may be asked."""
    if cluster.breaker_until is None:
        return None
    if cluster.breaker_until > at:
        return cluster.breaker_until - at
    # The first to come tries; who loses this race waits for the result.
    is_mine = Cluster.objects.filter(pk=cluster.pk, breaker_until=cluster.breaker_until).update(
        breaker_until=at + PROBE_FOR
    )
    return None if is_mine else PROBE_FOR


def note_answer(cluster: Cluster) -> None:
    """The cluster answered: close the breaker."""
    if cluster.breaker_failures or cluster.breaker_until:
        Cluster.objects.filter(pk=cluster.pk).update(
            breaker_failures=0, breaker_since=None, breaker_until=None
        )


def note_silence(cluster: Cluster, *, at: datetime) -> None:
    """The cluster did not answer; a few times in short order, or when tried, open the breaker."""
    is_recent = Q(breaker_since__gt=at - WINDOW)
    is_enough = is_recent & Q(breaker_failures__gte=FAILURES - 1)
    Cluster.objects.filter(pk=cluster.pk).update(
        breaker_failures=Case(When(is_recent, then=F("breaker_failures") + 1), default=Value(1)),
        breaker_since=Case(When(is_recent, then=F("breaker_since")), default=Value(at)),
        breaker_until=Case(
            # Open already: this was the one that tried.
            When(is_enough | Q(breaker_until__isnull=False), then=Value(at + OPEN_FOR)),
            default=Value(None),
        ),
    )
