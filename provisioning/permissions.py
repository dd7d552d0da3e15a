"""What each identity needs on a cluster: one table, and nothing beside it.

Pure.  A probe asks the cluster for every row, and the manifests of `deploy/` grant exactly
these.  What holds in tenants' namespaces only comes by a RoleBinding in each of them, so
that nobody's own pods elsewhere on the cluster are within our reach.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from provisioning.states import Identity


class Scope(StrEnum):
    """Where a permission holds: everywhere, or in tenants' namespaces."""

    CLUSTER = "cluster"
    TENANT = "tenant"


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Some verbs on one kind of object; with `names`, on these objects only."""

    identity: Identity
    scope: Scope
    group: str
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One question to a cluster: may this identity do that?"""

    identity: Identity
    scope: Scope
    verb: str
    group: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}{f' {self.name}' if self.name else ''}"


SYSTEM_NAMESPACE: Final = "kube-system"
"""Its UID is the cluster's: whoever speaks to a cluster must be able to tell which it is."""

ROLES: Final = {
    (Identity.WATCHER, Scope.CLUSTER): "npu-farm-watcher",
    (Identity.WORKER, Scope.CLUSTER): "npu-farm-worker",
    (Identity.ACCESS, Scope.CLUSTER): "npu-farm-access",
    (Identity.WORKER, Scope.TENANT): "npu-farm-tenant-worker",
    (Identity.ACCESS, Scope.TENANT): "npu-farm-tenant-access",
}
TENANT_ROLES: Final = {identity: name for (identity, at), name in ROLES.items() if at == "tenant"}

# A later server asks "create" of whoever upgrades a connection, an earlier one "get" alone.
_UPGRADE: Final = ("create", "get")
# The five methods of HTTP that pages served by an instance use.
_ANY_METHOD: Final = ("create", "delete", "get", "patch", "update")
# A server-side apply creates what is missing and patches what is there.
_APPLY: Final = ("create", "patch")


def _rows(
    identity: Identity, scope: Scope, *rows: tuple[str, str, tuple[str, ...], tuple[str, ...]]
) -> Iterator[Permission]:
    for group, resource, verbs, names in rows:
        yield Permission(
            identity=identity, scope=scope, group=group, resource=resource, verbs=verbs, names=names
        )


PERMISSIONS: Final = (
    *_rows(
        Identity.WATCHER,
        Scope.CLUSTER,
        ("", "namespaces", ("get",), (SYSTEM_NAMESPACE,)),
        ("", "nodes", ("list",), ()),
        ("", "pods", ("list", "watch"), ()),
        ("", "events", ("list",), ()),
        # To be held against our volumes after a restore.
        ("", "persistentvolumeclaims", ("list",), ()),
        ("coordination.k8s.io", "leases", ("list",), ()),
        # Devices that drivers publish, and which of them a pod's claim was given.
        ("resource.k8s.io", "deviceclasses", ("list",), ()),
        ("resource.k8s.io", "resourceslices", ("list",), ()),
        ("resource.k8s.io", "resourceclaims", ("get", "list"), ()),
    ),
    *_rows(
        Identity.WORKER,
        Scope.CLUSTER,
        ("", "namespaces", ("create", "get", "patch"), ()),
        ("rbac.authorization.k8s.io", "rolebindings", _APPLY, ()),
        ("storage.k8s.io", "storageclasses", ("get", "list"), ()),
        # Without it, nobody may hand out a role they do not hold themselves.
        ("rbac.authorization.k8s.io", "clusterroles", ("bind",), tuple(TENANT_ROLES.values())),
    ),
    *_rows(
        Identity.WORKER,
        Scope.TENANT,
        ("", "pods", ("create", "delete", "get", "patch"), ()),
        ("", "serviceaccounts", _APPLY, ()),
        ("", "resourcequotas", _APPLY, ()),
        ("", "limitranges", _APPLY, ()),
        ("networking.k8s.io", "networkpolicies", _APPLY, ()),
        ("resource.k8s.io", "resourceclaimtemplates", _APPLY, ()),
        ("", "persistentvolumeclaims", ("create", "delete", "get", "patch"), ()),
        # Written and taken away, never read back.
        ("", "secrets", ("create", "delete", "patch"), ()),
    ),
    *_rows(
        Identity.ACCESS,
        Scope.CLUSTER,
        ("", "namespaces", ("get",), (SYSTEM_NAMESPACE,)),
    ),
    *_rows(
        Identity.ACCESS,
        Scope.TENANT,
        ("", "pods/log", ("get",), ()),
        ("", "pods/exec", _UPGRADE, ()),
        ("", "pods/proxy", _ANY_METHOD, ()),
    ),
)

# Where a gateway is set, and in one namespace alone: the portal's at the edge.
ROUTES: Final = (*_APPLY, "delete", "get", "list")


def wanted_for_routes() -> list[Wanted]:
    """Return what the worker needs in the namespace that routes are made in."""
    return [
        Wanted(
            identity=Identity.WORKER,
            scope=Scope.CLUSTER,
            verb=verb,
            group="gateway.networking.k8s.io",
            resource="httproutes",
        )
        for verb in ROUTES
    ]


def wanted(*, identity: Identity, scope: Scope) -> list[Wanted]:
    """Return the table as single questions."""
    return [
        Wanted(
            identity=identity,
            scope=scope,
            verb=verb,
            group=row.group,
            resource=row.resource,
            name=name,
        )
        for row in PERMISSIONS
        if (row.identity, row.scope) == (identity, scope)
        for verb in row.verbs
        for name in row.names or ("",)
    ]
