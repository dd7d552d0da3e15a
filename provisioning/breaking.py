"""Stop asking a cluster that does not answer, and find out when it does again.

Five calls in a row without an answer open the breaker for a while; then one caller may
try, and the others wait for what it learns.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Case, F, Value, When

from provisioning.models import Cluster

FAILURES: Final = 5
OPEN_FOR: Final = timedelta(seconds=15)
PROBE_FOR: Final = timedelta(seconds=5)


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
        Cluster.objects.filter(pk=cluster.pk).update(breaker_failures=0, breaker_until=None)


def note_silence(cluster: Cluster, *, at: datetime) -> None:
    """The cluster did not answer; after a few times, open the breaker."""
    Cluster.objects.filter(pk=cluster.pk).update(
        breaker_failures=F("breaker_failures") + 1,
        breaker_until=Case(
            When(breaker_failures__gte=FAILURES - 1, then=Value(at + OPEN_FOR)),
            default=F("breaker_until"),
        ),
    )
