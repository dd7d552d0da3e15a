"""Write the claim of a volume, and read what a cluster says of one.

Pure: values in, values out.  `claiming` asks the cluster in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from provisioning.manifests import Manifest
from provisioning.names import Marks

GIB: Final = 1024**3
MOST_GIB: Final = 65_536
_UNITS: Final = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ClaimSpec:
    """Everything a claim's manifest is made of."""

    marks: Marks
    namespace: str
    name: str
    volume_id: UUID
    tenant_id: int
    project_id: int
    size_gib: int
    storage_class: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one claim says of itself."""

    uid: UUID
    volume_id: str
    phase: str
    asked_gib: int
    capacity_gib: int | None
    storage_class: str
    is_deleting: bool
    waits_for_pod: bool = False
    """Its file system grows once a pod mounts it anew."""


def claim_name(volume_id: UUID) -> str:
    """Name a claim after its volume."""
    return f"vol-{volume_id}"


def claim_for(spec: ClaimSpec) -> Manifest:
    """Write the claim.  One pod at a time may mount it: our attachments see to that, and where
    the storage can, the cluster too."""
    body: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{spec.size_gib}Gi"}},
    }
    if spec.storage_class:
        body["storageClassName"] = spec.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": spec.name,
            "namespace": spec.namespace,
            "labels": spec.marks.labels(
                tenant=str(spec.tenant_id),
                project=str(spec.project_id),
                volume=str(spec.volume_id),
            ),
        },
        "spec": body,
    }


def read_claim(raw: Mapping[str, Any], *, marks: Marks) -> Claim:
    """Read a claim as the API tells of it."""
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    requests = (spec.get("resources") or {}).get("requests") or {}
    capacity = (status.get("capacity") or {}).get("storage")
    pending = {c.get("type") for c in status.get("conditions") or () if c.get("status") == "True"}
    return Claim(
        uid=UUID(metadata["uid"]),
        volume_id=(metadata.get("labels") or {}).get(marks.label("volume"), ""),
        phase=status.get("phase") or "Pending",
        asked_gib=in_gib(requests.get("storage") or "0"),
        capacity_gib=in_gib(capacity) if capacity else None,
        storage_class=spec.get("storageClassName") or "",
        is_deleting=bool(metadata.get("deletionTimestamp")),
        waits_for_pod="FileSystemResizePending" in pending,
    )


def in_gib(quantity: object) -> int:
    """Read an amount of storage in whole GiB, rounded down: nobody pays for what is not there."""
    text = str(quantity)
    number = text.rstrip("KMGTPEki")
    unit = text[len(number) :]
    return int(Decimal(number) * _UNITS[unit] // GIB)
