"""The volume controllers: bind claims, provide disks, let them grow, guard what is in use.

A claim of an immediate class is bound as soon as a volume fits; one that waits for its first
pod is bound when the scheduler has found that pod a node.  What a pod on a node uses is not
deleted under it.
"""

from provisioning.sandbox import deleting, events
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.kinds import (
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    STORAGE_CLASSES,
)
from provisioning.sandbox.objects import (
    Json,
    is_deleting,
    metadata,
    name_of,
    namespace_of,
    spec,
    status,
    uid_of,
    with_metadata,
    with_spec,
    with_status,
)
from provisioning.sandbox.scheduling.amounts import is_finished
from provisioning.sandbox.storage import matching
from provisioning.sandbox.storage.defaults import CLAIM_GUARD, IS_DEFAULT, VOLUME_GUARD
from provisioning.sandbox.store import Change, Stored, new_uid
from provisioning.sandbox.times import in_seconds

SOURCE = "persistentvolume-controller"
DEFAULT_CLASS = "sandbox-disk"
_SYNC = 0.05
_BINDING = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}


def found_class(cluster: Cluster) -> None:
    """Give the cluster the class its own disks are claimed by."""
    if cluster.store.get(STORAGE_CLASSES, "", DEFAULT_CLASS) is None:
        meta = {"name": DEFAULT_CLASS, "uid": new_uid(), "annotations": {IS_DEFAULT: "true"}}
        meta["creationTimestamp"] = in_seconds(cluster.now())
        body: Json = {"provisioner": matching.PROVISIONER, "reclaimPolicy": "Delete"}
        body |= {"volumeBindingMode": matching.LATE, "allowVolumeExpansion": True}
        cluster.store.put(STORAGE_CLASSES, {"metadata": meta, **body})


class StorageKeeper:
    """Looks after the claims and volumes of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._is_asked = False
        # What was said of a claim last, so that it is not said at every look.
        self._said: dict[str, str] = {}
        for kind in (PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES):
            cluster.store.listen(kind, lambda change: self._ask())
        cluster.store.listen(PODS, self._on_pod)
        self._ask()

    def _on_pod(self, change: Change) -> None:
        # Most pods have no claim, and ten thousand of them must cost nothing here.
        if matching.claim_names(change.now.object):
            self._ask()

    def _ask(self) -> None:
        if not self._is_asked:
            self._is_asked = True
            self._cluster.timers.after(_SYNC, self._sync)

    def _sync(self) -> None:
        self._is_asked = False
        for stored in list(self._cluster.store.all(PERSISTENT_VOLUMES)):
            self._look_at_volume(stored)
        used = _used_claims(self._cluster)
        for stored in list(self._cluster.store.all(PERSISTENT_VOLUME_CLAIMS)):
            if is_deleting(stored.object):
                if stored.key not in used:
                    _unguard(self._cluster, stored, CLAIM_GUARD)
            else:
                self._look_at_claim(stored)

    def _look_at_volume(self, stored: Stored) -> None:
        volume, cluster = stored.object, self._cluster
        holder = spec(volume).get("claimRef") or {}
        claim = cluster.store.get(
            PERSISTENT_VOLUME_CLAIMS, str(holder.get("namespace")), str(holder.get("name"))
        )
        is_held = claim is not None and holder.get("uid") in (None, uid_of(claim.object))
        if is_deleting(volume):
            if not is_held:
                _unguard(cluster, stored, VOLUME_GUARD)
        elif not holder and status(volume).get("phase") == "Pending":
            cluster.store.put(PERSISTENT_VOLUMES, with_status(volume, phase="Available"))
        elif holder.get("uid") and not is_held:
            self._reclaim(stored)

    def _reclaim(self, stored: Stored) -> None:
        """Nobody claims the volume any more: it goes, or keeps what is on it for a person."""
        store = self._cluster.store
        if spec(stored.object).get("persistentVolumeReclaimPolicy") == "Delete":
            name = stored.key[1]
            deleting.delete(
                self._cluster, kind=stored.kind, namespace="", name=name, options=DeleteOptions()
            )
        elif status(stored.object).get("phase") != "Released":
            store.put(PERSISTENT_VOLUMES, with_status(stored.object, phase="Released"))

    def _look_at_claim(self, stored: Stored) -> None:
        cluster, claim = self._cluster, stored.object
        if spec(claim).get("volumeName") and matching.is_bound(claim):
            self._look_at_bound(stored)
        elif status(claim).get("phase") == "Lost":
            return
        elif matching.is_late(cluster, claim):
            self._say(stored, "WaitForFirstConsumer", _WAITS)
        elif not bind_claim(cluster, stored):
            self._say(stored, *_why_unbound(cluster, claim))

    def _look_at_bound(self, stored: Stored) -> None:
        cluster, claim = self._cluster, stored.object
        volume = cluster.store.get(PERSISTENT_VOLUMES, "", str(spec(claim)["volumeName"]))
        if volume is None:
            lost = with_status(claim, phase="Lost", capacity=None)
            cluster.store.put(PERSISTENT_VOLUME_CLAIMS, lost)
            self._say(stored, "ClaimLost", _LOST, is_bad=True)
        elif matching.asked(claim) > matching.size_of(volume.object):
            _grow(cluster, stored, volume)

    def _say(self, stored: Stored, reason: str, message: str, *, is_bad: bool = False) -> None:
        uid = uid_of(stored.object)
        if self._said.get(uid) == message:
            return
        self._said[uid] = message
        events.record(
            self._cluster, about=stored, reason=reason, message=message, source=SOURCE,
            type_="Warning" if is_bad or reason == "ProvisioningFailed" else "Normal",
        )  # fmt: skip


_WAITS = "waiting for first consumer to be created before binding"
_LOST = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"


def bind_late(cluster: Cluster, pod: Json) -> None:
    """Bind what waited for this pod, which has just found its node."""
    for stored in matching.claims_of(cluster, pod):
        if not matching.is_bound(stored.object):
            bind_claim(cluster, stored)


def bind_claim(cluster: Cluster, stored: Stored) -> bool:
    """Give a claim a volume, a new one where the sandbox provides; answers whether it has one."""
    volume = matching.find_volume(cluster, stored.object)
    if volume is None and matching.is_provisioned(cluster, stored.object):
        volume = _provide(cluster, stored.object)
    if volume is None:
        return False
    claim, size = stored.object, spec(volume.object).get("capacity")
    bound = with_spec(claim, volumeName=name_of(volume.object))
    noted = {**(metadata(claim).get("annotations") or {}), **_BINDING}
    bound = with_metadata(bound, annotations=noted)
    modes = spec(volume.object).get("accessModes")
    bound = with_status(bound, phase="Bound", accessModes=modes, capacity=size)
    cluster.store.put(PERSISTENT_VOLUME_CLAIMS, bound)
    held = with_spec(volume.object, claimRef=_reference(stored))
    cluster.store.put(PERSISTENT_VOLUMES, with_status(held, phase="Bound"))
    return True


def _why_unbound(cluster: Cluster, claim: Json) -> tuple[str, str]:
    name = spec(claim).get("storageClassName")
    if not name:
        return "FailedBinding", (
            "no persistent volumes available for this claim and no storage class is set"
        )
    found = matching.class_of(cluster, claim)
    if not found:
        return "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found'
    return "ProvisioningFailed", f"no volume plugin matched name: {found.get('provisioner')}"


def _provide(cluster: Cluster, claim: Json) -> Stored:
    meta: Json = {
        "name": f"pvc-{uid_of(claim)}",
        "uid": new_uid(),
        "creationTimestamp": in_seconds(cluster.now()),
        "finalizers": [VOLUME_GUARD],
        "annotations": {"pv.kubernetes.io/provisioned-by": matching.PROVISIONER},
    }
    requests = spec(claim)["resources"]["requests"]
    found = matching.class_of(cluster, claim)
    body: Json = {
        "capacity": {"storage": requests["storage"]},
        "accessModes": spec(claim).get("accessModes"),
        "persistentVolumeReclaimPolicy": found.get("reclaimPolicy", "Delete"),
        "storageClassName": spec(claim).get("storageClassName"),
        "volumeMode": "Filesystem",
        "csi": {"driver": matching.PROVISIONER, "volumeHandle": uid_of(claim)},
    }
    volume = {"metadata": meta, "spec": body, "status": {"phase": "Available"}}
    return cluster.store.put(PERSISTENT_VOLUMES, volume)


def _grow(cluster: Cluster, claim: Stored, volume: Stored) -> None:
    if not matching.is_provisioned(cluster, claim.object):
        return
    size = {"storage": spec(claim.object)["resources"]["requests"]["storage"]}
    cluster.store.put(PERSISTENT_VOLUMES, with_spec(volume.object, capacity=size))
    cluster.store.put(PERSISTENT_VOLUME_CLAIMS, with_status(claim.object, capacity=size))


def _used_claims(cluster: Cluster) -> set[tuple[str, str]]:
    return {
        (namespace_of(stored.object), name)
        for stored in cluster.store.all(PODS)
        if spec(stored.object).get("nodeName") and not is_finished(stored.object)
        for name in matching.claim_names(stored.object)
    }


def _unguard(cluster: Cluster, stored: Stored, guard: str) -> None:
    left = [one for one in metadata(stored.object).get("finalizers") or [] if one != guard]
    now = with_metadata(stored.object, finalizers=left or None)
    if now != stored.object and deleting.finish_if_released(cluster.store, stored, now) is None:
        cluster.store.put(stored.kind, now)


def _reference(claim: Stored) -> Json:
    return {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": claim.key[0],
        "name": claim.key[1],
        "uid": uid_of(claim.object),
        "resourceVersion": metadata(claim.object).get("resourceVersion"),
    }
