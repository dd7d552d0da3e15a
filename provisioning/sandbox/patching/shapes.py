"""Which lists of our kinds are maps or sets, and by which keys their items are known.

Strategic merge and server-side apply both read it.  A path names the fields from
the object's root; items of a list add nothing to it.
"""

from provisioning.sandbox import kinds
from provisioning.sandbox.kinds import Kind

Path = tuple[str, ...]

_CONTAINER_LISTS: dict[str, tuple[str, ...]] = {
    "env": ("name",),
    "ports": ("containerPort", "protocol"),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
}
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")

_ANY: dict[Path, tuple[str, ...]] = {("metadata", "ownerReferences"): ("uid",)}
_CONDITIONS: dict[Path, tuple[str, ...]] = {("status", "conditions"): ("type",)}
_MAPS: dict[Kind, dict[Path, tuple[str, ...]]] = {
    kinds.PODS: {
        **{("spec", group): ("name",) for group in _CONTAINERS},
        **{
            ("spec", group, field): keys
            for group in _CONTAINERS
            for field, keys in _CONTAINER_LISTS.items()
        },
        ("spec", "volumes"): ("name",),
        ("spec", "imagePullSecrets"): ("name",),
        ("spec", "hostAliases"): ("ip",),
        ("spec", "schedulingGates"): ("name",),
        ("spec", "resourceClaims"): ("name",),
        ("spec", "topologySpreadConstraints"): ("topologyKey", "whenUnsatisfiable"),
        ("status", "podIPs"): ("ip",),
        ("status", "hostIPs"): ("ip",),
        **_CONDITIONS,
    },
    kinds.NODES: {("status", "addresses"): ("type",), **_CONDITIONS},
    kinds.SERVICES: {("spec", "ports"): ("port", "protocol"), **_CONDITIONS},
    kinds.SERVICE_ACCOUNTS: {("secrets",): ("name",), ("imagePullSecrets",): ("name",)},
    kinds.NAMESPACES: {**_CONDITIONS},
}
# Strategic merge knows an item by the first key alone, apply by all of them.
_SETS: dict[Kind, frozenset[Path]] = {
    kinds.NODES: frozenset({("spec", "podCIDRs")}),
}
_ANY_SETS = frozenset({("metadata", "finalizers")})
# Maps that are written as a whole: one manager owns all of it.
_ATOMIC_MAPS: dict[Kind, frozenset[Path]] = {
    kinds.PODS: frozenset({("spec", "nodeSelector")}),
    kinds.SERVICES: frozenset({("spec", "selector")}),
    kinds.NETWORK_POLICIES: frozenset({("spec", "podSelector")}),
    kinds.RESOURCE_QUOTAS: frozenset({("spec", "scopeSelector")}),
}


def keys_of(kind: Kind, path: Path) -> tuple[str, ...]:
    """The keys that tell items of a list apart; empty when the list is not a map."""
    return _ANY.get(path) or _MAPS.get(kind, {}).get(path, ())


def is_set(kind: Kind, path: Path) -> bool:
    """Whether a list is a set of values."""
    return path in _ANY_SETS or path in _SETS.get(kind, ())


def is_atomic_map(kind: Kind, path: Path) -> bool:
    """Whether a map is written as a whole."""
    return path in _ATOMIC_MAPS.get(kind, ())
