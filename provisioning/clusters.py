"""Add clusters, ask how they are, take them out of use.

A kubeconfig is checked, sealed and never shown again.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug

from provisioning.cluster import asking, kubeconfigs
from provisioning.cluster.sealing import seal
from provisioning.errors import ClusterNameTaken, IllegalSpec
from provisioning.models import Cluster, ClusterState


def admit_cluster(*, name: str, kubeconfig: str, at: datetime) -> Cluster:
    """Add a cluster that answers; one that does not leaves nothing behind.

    Asks the cluster, so not inside a transaction.  Raises what `add_cluster` and
    `probe_cluster` raise.
    """
    cluster = _unsaved(name=name, kubeconfig=kubeconfig, at=at)
    _ask_what_it_is(cluster, at=at)
    return _saved(cluster)


def add_cluster(*, name: str, kubeconfig: str, at: datetime) -> Cluster:
    """Add a cluster; nothing is asked of it yet."""
    return _saved(_unsaved(name=name, kubeconfig=kubeconfig, at=at))


def replace_kubeconfig(*, cluster: Cluster, kubeconfig: str) -> None:
    """Reach the same cluster with other credentials."""
    sealed = seal(kubeconfigs.parse_kubeconfig(kubeconfig))
    Cluster.objects.filter(pk=cluster.pk).update(
        kubeconfig_encrypted=sealed, breaker_until=None, breaker_failures=0
    )


def probe_cluster(*, cluster: Cluster, at: datetime) -> Cluster:
    """Ask the cluster what it is; raises `ClusterUnreachable` or what it refuses with."""
    _ask_what_it_is(cluster, at=at)
    cluster.save(update_fields=["server_version", "probe"])
    return cluster


def pause_cluster(*, cluster: Cluster) -> None:
    """Place nothing more on the cluster; what runs, runs on."""
    Cluster.objects.filter(pk=cluster.pk).update(state=ClusterState.PAUSED)


def resume_cluster(*, cluster: Cluster) -> None:
    """Place on the cluster again."""
    Cluster.objects.filter(pk=cluster.pk).update(state=ClusterState.ACTIVE)


def _unsaved(*, name: str, kubeconfig: str, at: datetime) -> Cluster:
    try:
        validate_slug(name)
    except ValidationError as error:
        raise IllegalSpec("A cluster's name has letters, digits and hyphens.") from error
    sealed = seal(kubeconfigs.parse_kubeconfig(kubeconfig))
    if Cluster.objects.filter(name=name).exists():
        raise ClusterNameTaken(name)
    return Cluster(name=name, kubeconfig_encrypted=sealed, added_at=at)


def _saved(cluster: Cluster) -> Cluster:
    saved, is_new = Cluster.objects.get_or_create(
        name=cluster.name,
        defaults={
            "kubeconfig_encrypted": cluster.kubeconfig_encrypted,
            "added_at": cluster.added_at,
            "server_version": cluster.server_version,
            "probe": cluster.probe,
        },
    )
    if not is_new:
        raise ClusterNameTaken(cluster.name)
    return saved


def _ask_what_it_is(cluster: Cluster, *, at: datetime) -> None:
    version = str(asking.version(cluster).get("gitVersion") or "")
    nodes = asking.list_nodes(cluster)
    resources = {
        name
        for node in nodes
        for name in (node.get("status") or {}).get("capacity") or {}
        if "/" in name
    }
    cluster.server_version = version[:40]
    cluster.probe = {"at": at.isoformat(), "nodes": len(nodes), "resources": sorted(resources)}
