"""Notice that the database is older than the clusters it speaks to, and then hold still.

A database restored from a backup knows nothing of what happened since.  Left alone it would
end what runs and start what was ended.  So a number is kept twice: in the database, where it
is raised first, and on the cluster.  A cluster that shows a higher one than we have ever
raised was spoken to by a later state of this database; it is held until a person has compared
and settled (`comparing`, `settling`).  Any way of restoring is noticed: nobody has to tell us.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import F

from provisioning import alarms, installation, names
from provisioning.cluster import asking
from provisioning.cluster.errors import NotFound
from provisioning.errors import ProvisioningError
from provisioning.models import Cluster, ClusterMark, ClusterState, Hold, HoldCause
from provisioning.names import Marks

Clock = Callable[[], datetime]
# Nothing is done on a cluster whose number was compared longer ago than this.
STALE_AFTER: Final = timedelta(seconds=90)
REFRESH_AFTER: Final = timedelta(seconds=30)
HELD_FOR: Final = timedelta(minutes=1)
ASK_AGAIN: Final = timedelta(seconds=5)
NUMBER: Final = "mark"
ALARM: Final = "database_older"


def is_held(cluster: Cluster) -> bool:
    """Say whether nothing may be done on the cluster before a person has looked."""
    return Hold.objects.filter(cluster=cluster, released_at=None).exists()


def needs_check(cluster: Cluster, *, at: datetime, after: timedelta = STALE_AFTER) -> bool:
    """Say whether the number on the cluster has to be compared before anything is done there."""
    mark = ClusterMark.objects.filter(cluster=cluster).first()
    return mark is None or mark.checked_at is None or at - mark.checked_at > after


def check_all(*, clock: Clock) -> None:
    """Compare the numbers of every cluster where that is due; one that does not answer waits."""
    for cluster in Cluster.objects.exclude(state=ClusterState.REMOVED):
        if needs_check(cluster, at=clock(), after=REFRESH_AFTER):
            with suppress(ProvisioningError):
                check(cluster, at=clock())


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
                "pod-security.kubernetes.io/enforce": "restricted",
            },
            "annotations": {marks.label(NUMBER): str(number)},
        },
    }
