"""Clear away pods that carry our marks and belong to no instance we know.

They come from a create that was answered too late, or from a database restored from a
backup; in the second case every newer pod looks like one, so a crowd is never touched.
Their seconds are put aside in the ledger before they go.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, F, OuterRef, QuerySet

from provisioning import installation, marking
from provisioning.cluster import asking
from provisioning.errors import ProvisioningError
from provisioning.models import Cluster, ClusterState, Instance, ObservedPod
from provisioning.specs import OVER
from provisioning.states import Settlement

logger = logging.getLogger(__name__)

SEEN_FOR: Final = timedelta(seconds=60)
MOST: Final = 10
MOST_SHARE: Final = 0.05


def sweep_orphans(*, at: datetime) -> int:
    """Bring every orphan one step nearer to its end, and say how many there were."""
    swept = 0
    for cluster in Cluster.objects.exclude(state=ClusterState.REMOVED):
        is_open = cluster.breaker_until is not None and cluster.breaker_until > at
        if not is_open and not marking.is_held(cluster):
            swept += _sweep_cluster(cluster)
    return swept


def orphans_of(cluster: Cluster) -> QuerySet[ObservedPod]:
    """Return pods of no known instance that two lists, a minute apart, have shown."""
    known = Instance.objects.filter(pk=OuterRef("instance_id"))
    present = ObservedPod.objects.filter(cluster=cluster, gone_at__isnull=True)
    return present.filter(
        ~Exists(known), cluster__last_list_at__gte=F("first_seen_at") + SEEN_FOR
    ).select_related("cluster")


def _sweep_cluster(cluster: Cluster) -> int:
    orphans = list(orphans_of(cluster).order_by("pk")[: MOST + 1])
    if not orphans:
        return 0
    present = ObservedPod.objects.filter(cluster=cluster, gone_at__isnull=True).count()
    if len(orphans) > min(MOST, max(1, int(present * MOST_SHARE))):
        logger.error("%s: %d orphans or more; none is touched", cluster, len(orphans))
        return 0
    for pod in orphans:
        try:
            _end(pod)
        except ProvisioningError as error:
            logger.warning("orphan %s stays for now: %s", pod, error)
    return len(orphans)


def _end(pod: ObservedPod) -> None:
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
    return pod.settlement == Settlement.CLOSED or never_ran
