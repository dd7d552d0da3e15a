"""The admission plugins in the order the real server runs them.

`enter` asks whether the namespace takes new objects at all, `adjust` lets plugins
fill a pod in, `judge` lets them refuse it.
"""

from provisioning.sandbox.admission import accounts, limits, namespaces, podsecurity, quota
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import PERSISTENT_VOLUME_CLAIMS, PODS, Kind
from provisioning.sandbox.objects import Json
from provisioning.sandbox.storage import defaults as storage


def enter(cluster: Cluster, *, kind: Kind, namespace: str, name: str) -> None:
    """Refuse what has no namespace to go to."""
    if kind.namespaced:
        namespaces.refuse_missing(cluster, kind=kind, namespace=namespace, name=name)


def adjust(cluster: Cluster, *, kind: Kind, obj: Json) -> Json:
    """The object as the plugins complete it."""
    if kind is PERSISTENT_VOLUME_CLAIMS:
        return storage.with_class(cluster, obj)
    if kind is not PODS:
        return obj
    return accounts.with_account(cluster, limits.with_defaults(cluster, obj))


def judge(cluster: Cluster, *, kind: Kind, obj: Json, dry_run: bool) -> None:
    """Refuse what the namespace does not allow; quota comes last, as it counts."""
    if kind is PODS:
        limits.refuse_beyond(cluster, obj)
        podsecurity.refuse_violations(cluster, obj)
    quota.charge(cluster, kind=kind, obj=obj, dry_run=dry_run)
