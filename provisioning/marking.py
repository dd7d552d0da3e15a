"""Notice that the database is older than the clusters it speaks to, and then hold still.

A database restored from a backup knows nothing of what happened since.  Left alone it would
end what runs and start what was ended.  So a number is kept twice: in the database, where it
is raised first, and on the cluster.  A cluster that shows a higher one than we have ever
raised was spoken to by a later state of this database; it is held until a person has compared
and settled (`comparing`, `settling`).  Any way of restoring is noticed: nobody has to tell us.
"""

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import F, QuerySet

from provisioning import alarms, breaking, installation, names, namespaces
from provisioning.cluster import asking
from provisioning.cluster.errors import NotFound
from provisioning.errors import ClusterUnreachable, ProvisioningError
from provisioning.models import Attempt, Cluster, ClusterMark, ClusterState, Hold, HoldCause
from provisioning.names import Marks
from provisioning.states import AttemptState

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
# Nothing is done on a cluster whose number was compared longer ago than this.
STALE_AFTER: Final = timedelta(seconds=90)
REFRESH_AFTER: Final = timedelta(seconds=30)
# The rest of a sweep does not wait for clusters that are slow to answer.
AT_MOST: Final = timedelta(seconds=5)
HELD_FOR: Final = timedelta(minutes=1)
ASK_AGAIN: Final = timedelta(seconds=5)
NUMBER: Final = "mark"
ALARM: Final = "database_older"


def is_held(cluster: Cluster) -> bool:
    """Say whether nothing may be done on the cluster before a person has looked."""
    return Hold.objects.filter(cluster=cluster, released_at=None).exists()


def held_clusters() -> QuerySet[Cluster]:
    """Return the clusters on which nothing may be done."""
    return Cluster.objects.filter(holds__released_at=None, holds__isnull=False)


def instances_on_held() -> QuerySet[Attempt, Any]:
    """Return the ids of instances of which something may be on a held cluster."""
    live = Attempt.objects.filter(cluster__in=held_clusters()).exclude(state=AttemptState.GONE)
    return live.values("instance")


def needs_check(cluster: Cluster, *, at: datetime, after: timedelta = STALE_AFTER) -> bool:
    """Say whether the number on the cluster has to be compared before anything is done there."""
    mark = ClusterMark.objects.filter(cluster=cluster).first()
    return mark is None or mark.checked_at is None or at - mark.checked_at > after


def may_act(cluster: Cluster, *, at: datetime) -> bool:
    """Say whether something may be done on the cluster, as far as is known without asking it."""
    return not is_held(cluster) and not needs_check(cluster, at=at)


def check_all(*, clock: Clock) -> None:
    """Compare the numbers where that is due and there is time; who does not answer waits."""
    until = clock() + AT_MOST
    clusters = list(Cluster.objects.exclude(state=ClusterState.REMOVED))
    # Where the time does not suffice for all, another one is left out each time.
    random.shuffle(clusters)
    for cluster in clusters:
        at = clock()
        if at >= until or not needs_check(cluster, at=at, after=REFRESH_AFTER):
            continue
        if breaking.wait_for(cluster, at=at) is None:
            _try(cluster, at)


def _try(cluster: Cluster, at: datetime) -> None:
    try:
        check(cluster, at=at)
    except ClusterUnreachable:
        breaking.note_silence(cluster, at=at)
    except ProvisioningError as error:
        logger.warning("%s: its number cannot be compared: %s", cluster, error)
        breaking.note_answer(cluster)
    else:
        breaking.note_answer(cluster)


def check(cluster: Cluster, *, at: datetime) -> bool:
    """Compare the numbers and raise them; returns whether the cluster is ours to act on.

    Asks the cluster, so not inside a transaction.  Raises what the cluster refuses with.
    Several may check at once: whoever wrote to the cluster had raised the database's number
    before, so a number above it is never a colleague's.
    """
    marks = installation.current()
    there = _number_on(cluster, marks)
    # Read after the answer, so that whoever wrote the number there had raised ours by now.
    mark, _ = ClusterMark.objects.get_or_create(cluster=cluster)
    if there > mark.no:
        hold(cluster, cause=HoldCause.MARK_AHEAD, known_until=mark.checked_at, at=at)
        return False
    ClusterMark.objects.filter(pk=mark.pk).update(no=F("no") + 1)
    asking.apply(cluster, _manifest(marks, mark.no + 1))
    ClusterMark.objects.filter(pk=mark.pk).update(checked_at=at)
    return not is_held(cluster)


def hold(cluster: Cluster, *, cause: HoldCause, known_until: datetime | None, at: datetime) -> Hold:
    """Do nothing on the cluster from now on; the same again is the same hold."""
    held, is_new = Hold.objects.get_or_create(
        cluster=cluster,
        released_at=None,
        defaults={"cause": cause, "known_until": known_until, "found_at": at},
    )
    if is_new:
        message = "The cluster knows more than this database: compare, then settle."
        alarms.raise_alarm(cluster=cluster, code=ALARM, message=message, at=at)
    return held


def release(cluster: Cluster, *, by: str, at: datetime) -> None:
    """Act on the cluster again, counting on from the number it shows."""
    there = _number_on(cluster, installation.current())
    ClusterMark.objects.get_or_create(cluster=cluster)
    ClusterMark.objects.filter(cluster=cluster, no__lt=there).update(no=there)
    Hold.objects.filter(cluster=cluster, released_at=None).update(released_at=at, released_by=by)
    alarms.settle_alarm(cluster=cluster, code=ALARM, at=at)


def _number_on(cluster: Cluster, marks: Marks) -> int:
    try:
        found = asking.get_namespace(cluster, name=marks.own_namespace)
    except NotFound:
        return 0
    text = (found["metadata"].get("annotations") or {}).get(marks.label(NUMBER), "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _manifest(marks: Marks, number: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": marks.own_namespace,
            "labels": {
                names.MANAGED_BY: names.MANAGER,
                names.INSTALLATION: marks.key,
                **namespaces.pod_security(),
            },
            "annotations": {marks.label(NUMBER): str(number)},
        },
    }
