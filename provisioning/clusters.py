"""Add clusters, change how they are reached, take them out of use and let them go.

A kubeconfig is checked, sealed and never shown again.  Credentials are tried before they
are kept, and have to lead to the very cluster they are for.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction
from django.db.models import F

from provisioning import losing, probing, queueing
from provisioning.cluster import kubeconfigs, reviewing
from provisioning.cluster.connections import trying
from provisioning.cluster.sealing import seal
from provisioning.errors import (
    AnotherCluster,
    ClusterAlreadyAdded,
    ClusterNameTaken,
    IllegalClusterState,
    IllegalSpec,
)
from provisioning.looking import look_at
from provisioning.models import Cluster, ClusterCredential, ClusterState
from provisioning.states import Identity

Config = dict[str, Any]


def admit_cluster(
    *,
    name: str,
    kubeconfig: str,
    at: datetime,
    others: Mapping[Identity, str] | None = None,
) -> Cluster:
    """Add a cluster that answers; one that does not leaves nothing behind.

    `others` are kubeconfigs of identities that have their own.  Asks the cluster, so not
    inside a transaction.  Raises `KubeconfigRefused`, `ClusterNameTaken`,
    `ClusterAlreadyAdded`, `ClusterUnreachable`, or what the cluster refuses with.
    """
    _refuse_name(name)
    own = kubeconfigs.parse_kubeconfig(kubeconfig)
    configs = {one: kubeconfigs.parse_kubeconfig(text) for one, text in (others or {}).items()}
    cluster = Cluster(name=name, kubeconfig_encrypted=seal(own), added_at=at)
    with trying({identity: configs.get(identity, own) for identity in Identity}):
        found = look_at(cluster)
    probing.describe(cluster, found, at=at)
    with transaction.atomic():
        _insert(cluster)
        for identity, config in configs.items():
            _keep(cluster, identity, config, at)
        probing.record_look(cluster=cluster, found=found, at=at)
    return cluster


def replace_kubeconfig(
    *, cluster: Cluster, kubeconfig: str, at: datetime, identity: Identity | None = None
) -> Cluster:
    """Reach the same cluster with other credentials: one identity's, or those for the rest.

    Asks the cluster first.  Raises `AnotherCluster`, and what `admit_cluster` raises.
    """
    _refuse_removed(cluster)
    config = kubeconfigs.parse_kubeconfig(kubeconfig)
    users = [identity] if identity else _without_their_own(cluster)
    with trying(dict.fromkeys(users, config)):
        uid = reviewing.uid_of(cluster, users[0])
        if cluster.uid is not None and cluster.uid != uid:
            raise AnotherCluster
        found = look_at(cluster)
    probing.describe(cluster, found, at=at)
    with transaction.atomic():
        _replace(cluster, identity, config, at)
        probing.record_look(cluster=cluster, found=found, at=at)
    cluster.refresh_from_db()
    return cluster


def pause_cluster(*, cluster: Cluster) -> None:
    """Place nothing more on the cluster; what runs, runs on."""
    _turn(cluster, ClusterState.PAUSED, of=(ClusterState.ACTIVE, ClusterState.DRAINING))


def resume_cluster(*, cluster: Cluster, at: datetime) -> None:
    """Place on the cluster again; on a lost one once it has shown itself, and empty."""
    if Cluster.objects.filter(pk=cluster.pk, state=ClusterState.LOST).exists():
        losing.refuse_unless_back(cluster)
    before = (ClusterState.PAUSED, ClusterState.DRAINING, ClusterState.LOST)
    _turn(cluster, ClusterState.ACTIVE, of=before)
    families = cluster.pools.values_list("family", flat=True).distinct().order_by("family")
    for family_id in list(families):
        queueing.wake_queue(family_id=family_id, at=at)


def _turn(cluster: Cluster, to: ClusterState, *, of: tuple[ClusterState, ...]) -> None:
    # A second click finds it done.
    turned = Cluster.objects.filter(pk=cluster.pk, state__in=(*of, to)).update(state=to)
    if not turned:
        raise IllegalClusterState("It has been removed or declared lost.")


def _refuse_name(name: str) -> None:
    try:
        validate_slug(name)
    except ValidationError as error:
        raise IllegalSpec("A cluster's name has letters, digits and hyphens.") from error
    if Cluster.objects.filter(name=name).exists():
        raise ClusterNameTaken(name)


def _refuse_removed(cluster: Cluster) -> None:
    if cluster.state == ClusterState.REMOVED:
        raise IllegalClusterState("It has been removed.")


def _insert(cluster: Cluster) -> None:
    kept = Cluster.objects.exclude(state=ClusterState.REMOVED)
    if (same := kept.filter(uid=cluster.uid).first()) is not None:
        raise ClusterAlreadyAdded(same.name)
    columns = ("kubeconfig_encrypted", "added_at", "server_version", "probe", "uid")
    saved, is_new = Cluster.objects.get_or_create(
        name=cluster.name, defaults={column: getattr(cluster, column) for column in columns}
    )
    if not is_new:
        raise ClusterNameTaken(cluster.name)
    cluster.pk = saved.pk
    cluster.refresh_from_db()


def _without_their_own(cluster: Cluster) -> list[Identity]:
    own = set(cluster.credentials.values_list("identity", flat=True))
    # With three of their own the cluster's kubeconfig serves nobody; it is tried all the same.
    return [identity for identity in Identity if identity not in own] or [Identity.WORKER]


def _replace(cluster: Cluster, identity: Identity | None, config: Config, at: datetime) -> None:
    if identity:
        _keep(cluster, identity, config, at)
    else:
        Cluster.objects.filter(pk=cluster.pk).update(kubeconfig_encrypted=seal(config))
    Cluster.objects.filter(pk=cluster.pk).update(
        uid=cluster.uid,
        server_version=cluster.server_version,
        probe=cluster.probe,
        credentials_revision=F("credentials_revision") + 1,
        breaker_until=None,
        breaker_failures=0,
    )


def _keep(cluster: Cluster, identity: Identity, config: Config, at: datetime) -> None:
    ClusterCredential.objects.update_or_create(
        cluster=cluster,
        identity=identity,
        defaults={"kubeconfig_encrypted": seal(config), "added_at": at},
    )
