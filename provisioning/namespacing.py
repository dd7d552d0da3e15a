"""Keep a tenant's namespace on a cluster as it should be.

`is_ready` compares what should be there with what we applied last; `prepare` asks the
cluster, `remember` writes down that it is done.  A namespace that was deleted by hand
shows when a pod is refused: `forget`, and the next pass prepares it again.
"""

from datetime import datetime

from django.db.models import Sum

from provisioning import manifests, namespaces
from provisioning.cluster import asking
from provisioning.models import Cluster, NodeCapacity, TenantNamespace
from provisioning.names import Marks
from provisioning.specs import NamespaceSpec


def is_ready(*, cluster: Cluster, tenant_id: int, marks: Marks) -> bool:
    """Say whether the namespace holds what it should, as far as we know."""
    wanted = manifests.digest(namespaces.objects_for(_spec(cluster, tenant_id, marks)))
    return TenantNamespace.objects.filter(
        cluster=cluster, tenant_id=tenant_id, applied_hash=wanted
    ).exists()


def prepare(*, cluster: Cluster, tenant_id: int, marks: Marks) -> str:
    """Apply the namespace and what belongs in it; returns the hash to remember."""
    objects = namespaces.objects_for(_spec(cluster, tenant_id, marks))
    for manifest in objects:
        asking.apply(cluster, manifest)
    return manifests.digest(objects)


def remember(
    *, cluster: Cluster, tenant_id: int, marks: Marks, applied_hash: str, at: datetime
) -> None:
    """Write down what was applied."""
    TenantNamespace.objects.update_or_create(
        cluster=cluster,
        tenant_id=tenant_id,
        defaults={
            "name": marks.namespace(tenant_id),
            "applied_hash": applied_hash,
            "applied_at": at,
        },
    )


def forget(*, cluster: Cluster, tenant_id: int) -> None:
    """Take the namespace for missing."""
    TenantNamespace.objects.filter(cluster=cluster, tenant_id=tenant_id).delete()


def _spec(cluster: Cluster, tenant_id: int, marks: Marks) -> NamespaceSpec:
    # What the nodes have, healthy or not: a device that recovers is not held up here.
    rows = (
        NodeCapacity.objects.filter(pool__cluster=cluster, node__gone_at__isnull=True)
        .values("pool__resource_name")
        .annotate(total=Sum("capacity"))
        .order_by("pool__resource_name")
    )
    return NamespaceSpec(
        marks=marks,
        name=marks.namespace(tenant_id),
        tenant_id=tenant_id,
        devices=tuple((row["pool__resource_name"], row["total"]) for row in rows),
    )
