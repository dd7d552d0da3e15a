"""Clear away pods that carry our marks and are of no attempt we know.

Somebody has copied one by hand, or a create was answered too late.  After a restore every
newer pod looks like one too (`marking` holds such a cluster), so a crowd is never touched:
beyond one pod in twenty, and never beyond ten, a person looks first and names the pods that
may go.  Their seconds are put aside in the ledger before they go.
"""

import logging
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, F, OuterRef, QuerySet

from provisioning import alarms, attempts, installation, marking
from provisioning.cluster import asking
from provisioning.cluster.errors import NotFound, PreconditionFailed
from provisioning.errors import NothingToRelease, ProvisioningError
from provisioning.models import Cluster, ClusterState, ObservedPod, OrphanRelease
from provisioning.specs import OVER
from provisioning.states import Settlement

logger = logging.getLogger(__name__)

SEEN_FOR: Final = timedelta(seconds=60)
MOST: Final = 10
MOST_SHARE: Final = 0.05
BLOCKED: Final = "orphans_blocked"


def sweep_orphans(*, at: datetime) -> int:
    """Bring every orphan one step nearer to its end, and say how many were touched."""
    swept = 0
    for cluster in Cluster.objects.exclude(state=ClusterState.REMOVED):
        is_open = cluster.breaker_until is not None and cluster.breaker_until > at
        if not is_open and marking.may_act(cluster, at=at):
            swept += _sweep_cluster(cluster, at)
    return swept


def orphans_of(cluster: Cluster) -> QuerySet[ObservedPod]:
    """Return pods of no known attempt that two lists, a minute apart, have shown."""
    known = attempts.attempts_of_pod(
        uid=OuterRef("uid"),
        spec_hash=OuterRef("spec_hash"),
        cluster=OuterRef("cluster"),
        namespace=OuterRef("namespace"),
        pod_name=OuterRef("name"),
    )
    present = ObservedPod.objects.filter(cluster=cluster, gone_at__isnull=True)
    return present.filter(
        ~Exists(known), cluster__last_list_at__gte=F("first_seen_at") + SEEN_FOR
    ).select_related("cluster")


def allowance(cluster: Cluster) -> int:
    """Return how many orphans may go without a person: a small farm's none."""
    present = ObservedPod.objects.filter(cluster=cluster, gone_at__isnull=True).count()
    return min(MOST, int(present * MOST_SHARE))


def release_orphans(
    *, cluster: Cluster, uids: Collection[str], by: str, reason: str, at: datetime
) -> OrphanRelease:
    """Allow these orphans, and no others, to be cleared away; the next sweep begins."""
    waiting = {str(uid) for uid in orphans_of(cluster).values_list("uid", flat=True)}
    chosen = sorted(waiting & set(uids))
    if not chosen:
        raise NothingToRelease
    return OrphanRelease.objects.create(
        cluster=cluster, uids=chosen, released_by=by, reason=reason, released_at=at
    )


def _sweep_cluster(cluster: Cluster, at: datetime) -> int:
    released = _released(cluster)
    orphans = orphans_of(cluster).order_by("pk")
    going = list(orphans.filter(uid__in=released)) if released else []
    others = orphans.exclude(uid__in=released)
    count = others.count()
    if count == 0 or count <= allowance(cluster):
        alarms.settle_alarm(cluster=cluster, code=BLOCKED, at=at)
        going += others
    else:
        _call_somebody(cluster, count, at)
    for pod in going:
        try:
            _end(pod)
        except ProvisioningError as error:
            logger.warning("orphan %s stays for now: %s", pod, error)
    return len(going)


def _released(cluster: Cluster) -> list[str]:
    rows = OrphanRelease.objects.filter(cluster=cluster).values_list("uids", flat=True)
    return [uid for uids in rows for uid in uids]


def _call_somebody(cluster: Cluster, count: int, at: datetime) -> None:
    words = f"{count} pods carry our marks and are of no attempt we know; none is touched."
    alarms.raise_alarm(cluster=cluster, code=BLOCKED, message=words, at=at)


def _end(pod: ObservedPod) -> None:
    if not orphans_of(pod.cluster).filter(pk=pod.pk).exists():
        # Somebody has taken it for theirs in the meantime.
        return
    with suppress(NotFound, PreconditionFailed):
        if not pod.is_deleting:
            asking.delete_pod(pod.cluster, namespace=pod.namespace, name=pod.name, uid=str(pod.uid))
        elif pod.has_finalizer and _may_go(pod):
            asking.remove_finalizer(
                pod.cluster,
                namespace=pod.namespace,
                name=pod.name,
                uid=str(pod.uid),
                finalizer=installation.current().finalizer,
            )


def _may_go(pod: ObservedPod) -> bool:
    never_ran = pod.settlement == Settlement.NEVER_RAN and (pod.phase in OVER or not pod.node_name)
    return pod.settlement in (Settlement.CLOSED, Settlement.LOST) or never_ran
