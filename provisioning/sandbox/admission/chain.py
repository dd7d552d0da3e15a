"""The admission plugins in the order the real server runs them.

`enter` asks whether the namespace takes new objects at all, `adjust` lets plugins
fill the object in, `judge` lets them refuse it.
"""

from provisioning.sandbox import kinds
from provisioning.sandbox.admission import namespaces
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json


def enter(cluster: Cluster, *, kind: Kind, namespace: str, name: str) -> None:
    if kind.namespaced:
        namespaces.refuse_missing(cluster, kind=kind, namespace=namespace, name=name)


def adjust(cluster: Cluster, *, kind: Kind, obj: Json) -> Json:
    return obj


def judge(cluster: Cluster, *, kind: Kind, obj: Json, dry_run: bool) -> None:
    del cluster, kind, obj, dry_run


__all__ = ["adjust", "enter", "judge", "kinds"]
