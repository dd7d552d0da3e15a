"""Follow tenants' namespaces that are being deleted, until they are gone and may be made anew.

A namespace on its way out takes nothing in; what was to run there waits in the queue.  The
sweep asks for it: once it is absent those who wait are woken, and after ten minutes somebody
is told what holds it.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from provisioning import alarms, namespacing, waking
from provisioning.cluster import asking
from provisioning.cluster.errors import NotFound
from provisioning.errors import ProvisioningError
from provisioning.models import Cluster, ClusterState, Instance, TenantNamespace
from provisioning.names import Marks
from provisioning.states import State

ALARM_AFTER: Final = timedelta(minutes=10)
STUCK: Final = "namespace_stuck"
# The reason an instance waits with, as `cluster.errors.NamespaceTerminating` codes it.
WAITING: Final = "namespace_terminating"


def note_terminating(*, cluster: Cluster, tenant_id: int, marks: Marks, at: datetime) -> None:
    """Remember since when a namespace has been refusing because it goes."""
    row, _ = TenantNamespace.objects.get_or_create(
        cluster=cluster,
        tenant_id=tenant_id,
        defaults={"name": marks.namespace(tenant_id), "applied_at": at},
    )
    TenantNamespace.objects.filter(pk=row.pk, terminating_since=None).update(terminating_since=at)


def follow_namespaces(*, at: datetime) -> None:
    """Ask how every namespace is that was going; one whose cluster does not answer stays."""
    kept = TenantNamespace.objects.exclude(cluster__state=ClusterState.REMOVED)
    going = kept.exclude(terminating_since=None).select_related("cluster")
    for row in going:
        breaker = row.cluster.breaker_until
        if breaker is None or breaker <= at:
            with suppress(ProvisioningError):
                _follow(row, at)


def _follow(row: TenantNamespace, at: datetime) -> None:
    try:
        found = asking.get_namespace(row.cluster, name=row.name)
    except NotFound:
        namespacing.forget(cluster=row.cluster, tenant_id=row.tenant_id)
        _is_over(row, at)
        return
    if not found["metadata"].get("deletionTimestamp"):
        # Somebody has made it anew; what we apply to it is applied again.
        namespacing.forget(cluster=row.cluster, tenant_id=row.tenant_id)
        _is_over(row, at)
    elif row.terminating_since and at - row.terminating_since >= ALARM_AFTER:
        message = "; ".join(what_holds(found)) or "The cluster does not say what holds it."
        alarms.raise_alarm(
            cluster=row.cluster, code=STUCK, subject=row.name, message=message, at=at
        )


def what_holds(namespace: dict[str, Any]) -> Iterable[str]:
    """Return what the cluster says is left: content, and finalizers on it."""
    status = namespace.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("status") == "True" and condition.get("message"):
            yield str(condition["message"])
    for finalizer in (namespace.get("metadata") or {}).get("finalizers") or []:
        yield f"finalizer {finalizer}"


def _is_over(row: TenantNamespace, at: datetime) -> None:
    alarms.settle_alarm(cluster=row.cluster, code=STUCK, subject=row.name, at=at)
    waiting = Instance.objects.filter(tenant_id=row.tenant_id, state=State.QUEUED, reason=WAITING)
    waking.wake(waiting, at=at)
