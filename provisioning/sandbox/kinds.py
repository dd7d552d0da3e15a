"""The kinds of object a sandbox cluster serves, and how each is named in a URL.

One table turns a path of the API into a `Kind`; discovery prints the same table,
and the store keeps one collection per row.
"""

from dataclasses import dataclass

READ_VERBS = ("get", "list", "watch")
WRITE_VERBS = ("create", "delete", "deletecollection", "patch", "update")
ALL_VERBS = tuple(sorted(READ_VERBS + WRITE_VERBS))


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind: its group, its plural in URLs, its name in objects."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    # Kinds the API server itself hands back after a delete; the others answer with a Status.
    returns_deleted: bool = False
    is_served: bool = True

    @property
    def api_version(self) -> str:
        """Group and version as objects carry them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The plural as error messages print it: `leases.coordination.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """The name for one, in small letters."""
        return self.name.lower()

    def __repr__(self) -> str:
        return f"<Kind {self.qualified}>"


NAMESPACES = Kind(
    "", "v1", "namespaces", "Namespace", namespaced=False, short_names=("ns",),
    subresources=("status", "finalize"),
    verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
    returns_deleted=True,
)  # fmt: skip
NODES = Kind(
    "", "v1", "nodes", "Node", namespaced=False, short_names=("no",), subresources=("status",)
)
PODS = Kind(
    "", "v1", "pods", "Pod", short_names=("po",),
    subresources=(
        "status", "log", "eviction", "binding", "exec", "portforward", "proxy",
    ),
    returns_deleted=True,
)  # fmt: skip
EVENTS = Kind("", "v1", "events", "Event", short_names=("ev",))
RESOURCE_QUOTAS = Kind(
    "", "v1", "resourcequotas", "ResourceQuota", short_names=("quota",),
    subresources=("status",), returns_deleted=True,
)  # fmt: skip
LIMIT_RANGES = Kind("", "v1", "limitranges", "LimitRange", short_names=("limits",))
SERVICE_ACCOUNTS = Kind(
    "", "v1", "serviceaccounts", "ServiceAccount", short_names=("sa",), returns_deleted=True
)
SECRETS = Kind("", "v1", "secrets", "Secret")
CONFIG_MAPS = Kind("", "v1", "configmaps", "ConfigMap", short_names=("cm",))
SERVICES = Kind(
    "", "v1", "services", "Service", short_names=("svc",), subresources=("status",),
    returns_deleted=True,
)  # fmt: skip
NETWORK_POLICIES = Kind(
    "networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", short_names=("netpol",)
)
PERSISTENT_VOLUME_CLAIMS = Kind(
    "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", short_names=("pvc",),
    subresources=("status",), returns_deleted=True,
)  # fmt: skip
PERSISTENT_VOLUMES = Kind(
    "", "v1", "persistentvolumes", "PersistentVolume", namespaced=False, short_names=("pv",),
    subresources=("status",), returns_deleted=True,
)  # fmt: skip
STORAGE_CLASSES = Kind(
    "storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False,
    short_names=("sc",), returns_deleted=True,
)  # fmt: skip
LEASES = Kind("coordination.k8s.io", "v1", "leases", "Lease")
_DEVICES = "resource.k8s.io"
DEVICE_CLASSES = Kind(_DEVICES, "v1", "deviceclasses", "DeviceClass", namespaced=False)
RESOURCE_CLAIMS = Kind(
    _DEVICES, "v1", "resourceclaims", "ResourceClaim", subresources=("status",),
    returns_deleted=True,
)  # fmt: skip
RESOURCE_CLAIM_TEMPLATES = Kind(
    _DEVICES, "v1", "resourceclaimtemplates", "ResourceClaimTemplate", returns_deleted=True
)
RESOURCE_SLICES = Kind(_DEVICES, "v1", "resourceslices", "ResourceSlice", namespaced=False)
# Of a CustomResourceDefinition in the real world; no gateway listens to it here.
HTTP_ROUTES = Kind(
    "gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", subresources=("status",)
)
# Not part of any API: what the simulated hardware remembers across a restart.
DEVICE_STATES = Kind(
    "sandbox.internal", "v1", "devicestates", "DeviceState", namespaced=False, is_served=False
)

KINDS: tuple[Kind, ...] = (
    NAMESPACES, NODES, PODS, EVENTS, RESOURCE_QUOTAS, LIMIT_RANGES, SERVICE_ACCOUNTS, SECRETS,
    CONFIG_MAPS, SERVICES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES,
    NETWORK_POLICIES, LEASES, DEVICE_CLASSES, RESOURCE_CLAIMS, RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_SLICES, HTTP_ROUTES, DEVICE_STATES,
)  # fmt: skip

BY_PLURAL: dict[tuple[str, str, str], Kind] = {
    (kind.group, kind.version, kind.plural): kind for kind in KINDS if kind.is_served
}
BY_KEY: dict[str, Kind] = {kind.qualified: kind for kind in KINDS}
BY_NAME: dict[tuple[str, str], Kind] = {
    (kind.api_version, kind.name): kind for kind in KINDS if kind.is_served
}
GROUP_VERSIONS: tuple[tuple[str, str], ...] = (
    ("", "v1"),
    ("authorization.k8s.io", "v1"),
    ("coordination.k8s.io", "v1"),
    ("gateway.networking.k8s.io", "v1"),
    ("networking.k8s.io", "v1"),
    ("resource.k8s.io", "v1"),
    ("storage.k8s.io", "v1"),
)
