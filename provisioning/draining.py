"""Empty a cluster and let it go.

A draining cluster takes nothing new.  What runs there leaves by the end of its lease, or
because an operator moves or stops it; its tenant is told.  Once nothing of ours is left the
cluster can be removed: its credentials go, its history stays.  One that will not answer any
more is given up first (`losing`).
"""

from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from provisioning import events, installation, moving, stopping
from provisioning.cluster import asking
from provisioning.errors import (
    ClusterInUse,
    ClusterRefused,
    ClusterUnreachable,
    IllegalClusterState,
    InstanceStaysHere,
)
from provisioning.models import (
    Attempt,
    Cluster,
    ClusterState,
    ConfidedSecret,
    Instance,
    Node,
    ObservedPod,
    Volume,
)
from provisioning.states import AttemptState, VolumeState


@dataclass(frozen=True, kw_only=True)
class Remains:
    """What of ours is still on a cluster."""

    instances: int
    pods: int
    volumes: int
    secrets: int

    @property
    def is_nothing(self) -> bool:
        """Whether the cluster can be let go."""
        return not any(getattr(self, one.name) for one in fields(self))


def drain_cluster(*, cluster: Cluster, at: datetime) -> None:
    """Place nothing more on the cluster, and tell everybody who runs there."""
    with transaction.atomic():
        over = (ClusterState.LOST, ClusterState.REMOVED)
        kept = Cluster.objects.filter(pk=cluster.pk).exclude(state__in=over)
        turned = kept.exclude(state=ClusterState.DRAINING).update(state=ClusterState.DRAINING)
        if not turned:
            if not kept.exists():
                raise IllegalClusterState("It has been removed or declared lost.")
            return
        for instance in instances_on(cluster):
            _tell("cluster_draining", instance, cluster, at)


def instances_on(cluster: Cluster) -> QuerySet[Instance]:
    """Return the instances that are, or are about to be, on the cluster."""
    live = Attempt.objects.filter(cluster=cluster).exclude(state=AttemptState.GONE)
    return Instance.objects.filter(pk__in=live.values("instance")).order_by("ends_at", "pk")


def move_off(*, instance: Instance, at: datetime) -> None:
    """Have the instance placed again, on another cluster; its tenant is told.

    Only off a cluster that takes nothing new.
    """
    attempt = _present_attempt(instance)
    if attempt.cluster.state == ClusterState.ACTIVE:
        raise InstanceStaysHere("Its cluster takes new pods, so it would come back.")
    if instance.volumes.exists():
        raise InstanceStaysHere("Its volumes are on this cluster.")
    with transaction.atomic():
        moving.move_instance(instance=instance, at=at)
        _tell("instance_moved", instance, attempt.cluster, at)


def stop_on_cluster(*, instance: Instance, at: datetime) -> None:
    """Stop an instance that stands in the way, and tell its tenant."""
    attempt = _present_attempt(instance)
    with transaction.atomic():
        stopping.stop_instance(instance=instance, at=at)
        _tell("instance_stopped_by_operator", instance, attempt.cluster, at)


def remains_on(cluster: Cluster) -> Remains:
    """Count what of ours is on a cluster, as far as we know."""
    gone = (VolumeState.DELETED, VolumeState.LOST)
    secrets = ConfidedSecret.objects.filter(attempt__cluster=cluster, deleted_at=None)
    if cluster.state == ClusterState.LOST:
        # What lies there is deleted should it come back, and is waited for no more.
        secrets = secrets.none()
    return Remains(
        instances=instances_on(cluster).count(),
        pods=ObservedPod.objects.filter(cluster=cluster, gone_at__isnull=True).count(),
        volumes=Volume.objects.filter(cluster=cluster).exclude(state__in=gone).count(),
        secrets=secrets.count(),
    )


def remove_cluster(*, cluster: Cluster, at: datetime) -> None:
    """Let a drained or lost cluster go.  Raises `ClusterInUse`; asks the cluster itself, too."""
    if cluster.state != ClusterState.REMOVED:
        # Of a lost one nobody expects an answer; what it says all the same counts.
        silence = (ClusterUnreachable, ClusterRefused) if cluster.state == ClusterState.LOST else ()
        with suppress(*silence):
            _refuse_if_pods_are_there(cluster)
    with transaction.atomic():
        fresh = Cluster.objects.select_for_update().get(pk=cluster.pk)
        if fresh.state == ClusterState.REMOVED:
            return
        if fresh.state not in (ClusterState.DRAINING, ClusterState.LOST):
            raise IllegalClusterState("It has to be drained first.")
        _refuse_if_used(fresh)
        _forget_how_to_reach(fresh, at)
        Node.objects.filter(cluster=fresh, gone_at__isnull=True).update(gone_at=at, is_ready=False)


def _refuse_if_pods_are_there(cluster: Cluster) -> None:
    selector = installation.current().selector
    if any(True for _ in asking.list_pods(cluster, selector=selector)):
        raise ClusterInUse("There are pods of ours.")


def _refuse_if_used(cluster: Cluster) -> None:
    remains = remains_on(cluster)
    if not remains.is_nothing:
        found = ((one.name, getattr(remains, one.name)) for one in fields(remains))
        raise ClusterInUse(", ".join(f"{count} {name}" for name, count in found if count) + ".")


def _forget_how_to_reach(cluster: Cluster, at: datetime) -> None:
    cluster.credentials.all().delete()
    cluster.state, cluster.removed_at, cluster.kubeconfig_encrypted = ClusterState.REMOVED, at, b""
    cluster.credentials_revision += 1
    cluster.save(
        update_fields=["state", "removed_at", "kubeconfig_encrypted", "credentials_revision"]
    )


def _present_attempt(instance: Instance) -> Attempt:
    attempt = (
        instance.attempts.filter(no=instance.attempt_no, uid__isnull=False)
        .exclude(state=AttemptState.GONE)
        .select_related("cluster")
        .first()
    )
    if attempt is None:
        raise InstanceStaysHere("It has no pod.")
    return attempt


def _tell(kind: str, instance: Instance, cluster: Cluster, at: datetime) -> None:
    events.tell_tenant(
        kind=kind,
        tenant_id=instance.tenant_id,
        instance_id=instance.pk,
        at=at,
        once=f"{cluster.name}/{instance.attempt_no}",
        cluster=cluster.name,
        instance=instance.name,
    )
