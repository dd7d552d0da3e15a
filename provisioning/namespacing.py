"""Keep a tenant's namespace on a cluster as it should be.

`is_ready` compares what should be there with what we applied last; `prepare` asks the
cluster, `remember` writes down how far it came.  A slow cluster takes several passes over
several objects: each goes on where the last one stopped.  A namespace that was deleted by
hand shows when a pod is refused: `forget`, and the next pass prepares it again.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.conf import settings

from provisioning import entitling, manifests, namespaces
from provisioning.cluster import asking
from provisioning.cluster.errors import PermissionDenied
from provisioning.manifests import Manifest
from provisioning.models import Cluster, TenantNamespace
from provisioning.names import Marks
from provisioning.specs import NamespaceSpec
from provisioning.states import Identity

# An API server hears of a new binding a moment after it has taken it.
BINDING_SECONDS: Final = 3.0
BINDING_PAUSE: Final = 0.1


def is_ready(*, cluster: Cluster, tenant_id: int, marks: Marks) -> bool:
    """Say whether the namespace holds what it should, as far as we know."""
    wanted = manifests.digest(namespaces.objects_for(_spec(cluster, tenant_id, marks)))
    return TenantNamespace.objects.filter(
        cluster=cluster, tenant_id=tenant_id, applied_hash=wanted
    ).exists()


def prepare(*, cluster: Cluster, tenant_id: int, marks: Marks, has_time: Callable[[], bool]) -> str:
    """Apply what is still missing while there is time; returns the hash to remember."""
    objects = namespaces.objects_for(_spec(cluster, tenant_id, marks))
    done = _count_done(cluster, tenant_id, objects)
    for manifest in objects[done:]:
        _apply(cluster, manifest, has_time)
        done += 1
        if not has_time():
            break
    return manifests.digest(objects[:done])


def apply_all(*, cluster: Cluster, spec: NamespaceSpec) -> None:
    """Apply a whole namespace at once, for those with all the time they need."""
    for manifest in namespaces.objects_for(spec):
        _apply(cluster, manifest, lambda: True)


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


def bindings_of(cluster: Cluster) -> tuple[tuple[Identity, str], ...]:
    """Return which identities have to be bound in each namespace, and their names there."""
    told = (cluster.probe or {}).get("bindings") or {}
    return tuple((one, told[one]) for one in Identity if one in told)


def _apply(cluster: Cluster, manifest: Manifest, has_time: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BINDING_SECONDS
    while True:
        try:
            asking.apply(cluster, manifest)
            return
        except PermissionDenied:
            is_late = time.monotonic() > deadline or not has_time()
            if is_late or not bindings_of(cluster) or manifest["kind"] == "Namespace":
                raise
            time.sleep(BINDING_PAUSE)


def _count_done(cluster: Cluster, tenant_id: int, objects: list[Manifest]) -> int:
    known = TenantNamespace.objects.filter(cluster=cluster, tenant_id=tenant_id).first()
    beginnings = {manifests.digest(objects[:n]): n for n in range(1, len(objects))}
    return beginnings.get(known.applied_hash, 0) if known else 0


def _spec(cluster: Cluster, tenant_id: int, marks: Marks) -> NamespaceSpec:
    return NamespaceSpec(
        marks=marks,
        name=marks.namespace(tenant_id),
        tenant_id=tenant_id,
        bindings=bindings_of(cluster),
        proxy_sources=tuple(settings.PROXY_SOURCE_RANGES),
        **entitling.devices_on(cluster),
    )
