"""Which volume a claim can have, and what keeps a pod from its claims.

Reads the store and writes nothing; `keeper` binds.
"""

from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import (
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    STORAGE_CLASSES,
)
from provisioning.sandbox.objects import Json, is_deleting, name_of, namespace_of, spec, status
from provisioning.sandbox.scheduling.amounts import whole
from provisioning.sandbox.store import Stored

# The sandbox's own disks: whoever claims of such a class gets what was asked for.
PROVISIONER = "disk.sandbox.internal"
LATE = "WaitForFirstConsumer"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
NO_VOLUME = "node(s) didn't find available persistent volumes to bind"


def claim_names(pod: Json) -> list[str]:
    """The claims a pod mounts."""
    volumes = spec(pod).get("volumes") or []
    sources = (volume.get("persistentVolumeClaim") for volume in volumes)
    return [str(source.get("claimName")) for source in sources if source]


def claims_of(cluster: Cluster, pod: Json) -> list[Stored]:
    """The claims a pod mounts, as far as they are there."""
    store, namespace = cluster.store, namespace_of(pod)
    found = (store.get(PERSISTENT_VOLUME_CLAIMS, namespace, name) for name in claim_names(pod))
    return [stored for stored in found if stored is not None]


def obstacle(cluster: Cluster, pod: Json) -> str:
    """What keeps a pod off every node, in the scheduler's words; empty when nothing does."""
    for name in claim_names(pod):
        stored = cluster.store.get(PERSISTENT_VOLUME_CLAIMS, namespace_of(pod), name)
        if stored is None:
            return f'persistentvolumeclaim "{name}" not found'
        if is_deleting(stored.object):
            return f'persistentvolumeclaim "{name}" is being deleted'
        if status(stored.object).get("phase") == "Lost":
            volume = f'persistentvolume "{spec(stored.object).get("volumeName")}"'
            return f'persistentvolumeclaim "{name}" bound to non-existent {volume}'
    unbound = [one for one in claims_of(cluster, pod) if not is_bound(one.object)]
    return UNBOUND if any(not is_late(cluster, one.object) for one in unbound) else ""


def lacks_volume(cluster: Cluster, pod: Json) -> bool:
    """Whether a claim that waits for its pod would wait in vain."""
    unbound = [one for one in claims_of(cluster, pod) if not is_bound(one.object)]
    return any(
        find_volume(cluster, one.object) is None and not is_provisioned(cluster, one.object)
        for one in unbound
    )


def find_volume(cluster: Cluster, claim: Json) -> Stored | None:
    """The smallest free volume that will do."""
    fitting = [one for one in cluster.store.all(PERSISTENT_VOLUMES) if _fits(one.object, claim)]
    return min(fitting, key=lambda one: (size_of(one.object), one.key), default=None)


def is_bound(claim: Json) -> bool:
    """Whether a claim has its volume."""
    return status(claim).get("phase") == "Bound"


def is_late(cluster: Cluster, claim: Json) -> bool:
    """Whether a claim waits for the first pod that uses it."""
    found = class_of(cluster, claim)
    return bool(found) and found.get("volumeBindingMode") == LATE


def is_provisioned(cluster: Cluster, claim: Json) -> bool:
    """Whether the sandbox makes a volume for the claim."""
    return class_of(cluster, claim).get("provisioner") == PROVISIONER


def class_of(cluster: Cluster, claim: Json) -> Json:
    """The storage class of a claim; empty when there is none."""
    name = str(spec(claim).get("storageClassName") or "")
    stored = cluster.store.get(STORAGE_CLASSES, "", name) if name else None
    return stored.object if stored else {}


def asked(claim: Json) -> int:
    """How many bytes a claim asks for."""
    requests = (spec(claim).get("resources") or {}).get("requests") or {}
    return whole("storage", requests.get("storage", "0"))


def size_of(volume: Json) -> int:
    """How many bytes a volume has."""
    return whole("storage", (spec(volume).get("capacity") or {}).get("storage", "0"))


def _fits(volume: Json, claim: Json) -> bool:
    wanted, has = spec(claim), spec(volume)
    reserved = has.get("claimRef")
    is_free = not is_deleting(volume) and status(volume).get("phase") in ("Available", "Pending")
    if reserved:
        # Somebody has kept it for one claim, by name.
        is_free = is_free and (reserved.get("namespace"), reserved.get("name")) == (
            namespace_of(claim),
            name_of(claim),
        )
    return (
        is_free
        and (has.get("storageClassName") or "") == (wanted.get("storageClassName") or "")
        and set(wanted.get("accessModes") or []) <= set(has.get("accessModes") or [])
        and size_of(volume) >= asked(claim)
    )
