"""Frozen values that travel between the rooms of provisioning.

`InstanceSpec` is a tenant's wish as `launching` takes it; `PodSpec` and `NamespaceSpec`
are what `manifests` writes out; `Observation` is what `podstatus` reads back.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from provisioning.names import Marks
from provisioning.states import Identity, SecretKind

OVER: Final = ("Succeeded", "Failed")
"""The phases a pod does not leave: the kubelet writes them once its containers have stopped."""


@dataclass(frozen=True)
class VolumeMount:
    """One volume of the tenant's, and the path an instance finds it under."""

    volume_id: UUID
    path: str


@dataclass(frozen=True)
class SecretText:
    """One secret an instance is given; its value shows nowhere but in `value`."""

    kind: SecretKind
    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """What is wished: who pays, which size, which image, until when.

    Either `image_slug` names an image of ours, or `own_image` is the tenant's own reference.
    `wants_token` asks for a token that opens the instance's notebook, once.
    """

    tenant_id: int
    project_id: int
    account_id: int
    name: str
    instance_type_slug: str
    image_slug: str = ""
    own_image: str = ""
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    volumes: tuple[VolumeMount, ...] = ()
    secrets: tuple[SecretText, ...] = ()
    wants_token: bool = False
    ends_at: datetime | None = None


@dataclass(frozen=True)
class ClaimMount:
    """One claim of the pod's namespace, and where the container finds it."""

    claim_name: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Confided:
    """The Secret object beside a pod, and how the container finds what is in it.

    `digest` is keyed, so that it tells nobody anything about the values.
    """

    secret_name: str
    digest: str
    variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PullSecret:
    """The Secret object with the login a pod's image is pulled with, and which login that is."""

    secret_name: str
    login_id: int


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
    avoided_nodes: tuple[str, ...] = ()
    grace_seconds: int = 30
    # What a database that forgot the instance needs to know it again.
    wish: tuple[tuple[str, str], ...] = ()
    # Where devices are claimed and not counted: the template of the claim.
    claim_template: str = ""
    claims: tuple[ClaimMount, ...] = ()
    confided: Confided | None = None
    pulled_with: PullSecret | None = None


@dataclass(frozen=True, kw_only=True)
class DeviceRequest:
    """What the pods of one size ask of a device class; `expression` tells a family from others."""

    device_class: str
    count: int
    expression: str = ""


@dataclass(frozen=True, kw_only=True)
class NamespaceSpec:
    """Everything a tenant's namespace is made of; `devices` is the most it may ask for."""

    marks: Marks
    name: str
    tenant_id: int
    devices: tuple[tuple[str, int], ...] = ()
    device_classes: tuple[tuple[str, int], ...] = ()
    requests: tuple[DeviceRequest, ...] = ()
    bindings: tuple[tuple[Identity, str], ...] = ()
    proxy_sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device a container holds, as the cluster names it."""

    resource_name: str
    device_id: str
    health: str
    # When the API server took in the status that says so, as it wrote it.
    told_at: str = ""


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
