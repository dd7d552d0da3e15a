"""Frozen values that travel between the rooms of provisioning.

`InstanceSpec` is a tenant's wish as `launching` takes it; `PodSpec` and `NamespaceSpec`
are what `manifests` writes out; `Observation` is what `podstatus` reads back.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from provisioning.names import Marks

OVER: Final = ("Succeeded", "Failed")
"""The phases a pod does not leave: the kubelet writes them once its containers have stopped."""


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """What is wished: who pays, which size, which image, until when."""

    tenant_id: int
    project_id: int
    account_id: int
    name: str
    instance_type_slug: str
    image_slug: str
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    ends_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PodSpec:
    """Everything a pod's manifest is made of."""

    marks: Marks
    namespace: str
    name: str
    instance_id: UUID
    tenant_id: int
    project_id: int
    attempt_no: int
    image: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    cpu_millicores: int
    memory_mib: int
    storage_gib: int
    resource_name: str
    device_count: int
    node_selector: tuple[tuple[str, str], ...] = ()
    toleration_keys: tuple[str, ...] = ()
    grace_seconds: int = 30


@dataclass(frozen=True, kw_only=True)
class NamespaceSpec:
    """Everything a tenant's namespace is made of; `devices` is the most it may ask for."""

    marks: Marks
    name: str
    tenant_id: int
    devices: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device a container holds, as the cluster names it."""

    resource_name: str
    device_id: str
    health: str


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one pod says at one version; the fields of `ObservedPod` that the cluster fills."""

    uid: UUID
    namespace: str
    name: str
    resource_version: str
    instance_id: UUID | None = None
    attempt_no: int | None = None
    spec_hash: str = ""
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    node_name: str = ""
    is_ready: bool = False
    unschedulable_message: str = ""
    disruption_reason: str = ""
    container_id: str = ""
    container_state: str = ""
    waiting_reason: str = ""
    waiting_message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    exit_reason: str = ""
    devices: tuple[Device, ...] = ()
    is_deleting: bool = False
    has_finalizer: bool = False

    @property
    def is_over(self) -> bool:
        """Whether no container of the pod runs or will run again."""
        return self.phase in OVER
