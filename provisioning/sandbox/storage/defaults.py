"""Defaults of claims, volumes and storage classes, as the API server fills them in.

The default class of the cluster is written into a claim that names none, which is an
admission plugin's work; everything else needs no look at the cluster.
"""

from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import STORAGE_CLASSES
from provisioning.sandbox.objects import Json, metadata, name_of, spec

IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"
CLAIM_GUARD = "kubernetes.io/pvc-protection"
VOLUME_GUARD = "kubernetes.io/pv-protection"


def new_claim(claim: Json) -> Json:
    """A claim nothing has been found for."""
    return {
        **_guarded(claim, CLAIM_GUARD),
        "spec": {"volumeMode": "Filesystem", **spec(claim)},
        "status": {"phase": "Pending"},
    }


def new_volume(volume: Json) -> Json:
    """A volume nobody has claimed."""
    filled = {
        "persistentVolumeReclaimPolicy": "Retain",
        "volumeMode": "Filesystem",
        **spec(volume),
    }
    return {**_guarded(volume, VOLUME_GUARD), "spec": filled, "status": {"phase": "Pending"}}


def storage_class(found: Json) -> Json:
    """A class with what it does not say."""
    return {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate", **found}


def with_class(cluster: Cluster, claim: Json) -> Json:
    """The claim with the cluster's default class, when it names none."""
    if "storageClassName" in spec(claim):
        return claim
    for stored in cluster.store.all(STORAGE_CLASSES):
        if (metadata(stored.object).get("annotations") or {}).get(IS_DEFAULT) == "true":
            return {**claim, "spec": {**spec(claim), "storageClassName": name_of(stored.object)}}
    return claim


def _guarded(obj: Json, guard: str) -> Json:
    meta = metadata(obj)
    held = [*(one for one in meta.get("finalizers") or [] if one != guard), guard]
    return {**obj, "metadata": {**meta, "finalizers": held}}
