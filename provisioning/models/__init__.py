from provisioning.models.alarms import ClusterAlarm, OrphanRelease
from provisioning.models.catalog import (
    Confidence,
    Family,
    InstanceType,
    RuntimeImage,
    Unit,
    Vendor,
)
from provisioning.models.clusters import Cluster, ClusterState, TenantNamespace
from provisioning.models.confidences import ConfidedSecret, InstanceSecret, TenantImage
from provisioning.models.counts import LoopCount
from provisioning.models.credentials import ClusterCredential
from provisioning.models.devices import Device, Health, Outage, OutageCause
from provisioning.models.findings import ClusterFinding, Question, Verdict
from provisioning.models.gateways import ClusterGateway
from provisioning.models.installation import Installation
from provisioning.models.instances import Allocation, Attempt, DeadLetter, Instance, Transition
from provisioning.models.inventory import AllocationMode, DeviceIdSource, Node, NodeCapacity, Pool
from provisioning.models.losses import ClusterLoss
from provisioning.models.maintenance import MaintenancePolicy, MaintenanceWindow
from provisioning.models.notices import TenantNotice
from provisioning.models.observations import ObservedPod, UsageEvidence
from provisioning.models.ports import InstancePort
from provisioning.models.registries import RegistryLogin
from provisioning.models.restoring import ClusterMark, Hold, HoldCause
from provisioning.models.volumes import (
    InstanceVolume,
    Volume,
    VolumeAttachment,
    VolumeSpan,
)
from provisioning.models.warnings import NodeWarning

__all__ = [
    "Allocation",
    "AllocationMode",
    "Attempt",
    "Cluster",
    "ClusterAlarm",
    "ClusterCredential",
    "ClusterFinding",
    "ClusterGateway",
    "ClusterLoss",
    "ClusterMark",
    "ClusterState",
    "ConfidedSecret",
    "Confidence",
    "DeadLetter",
    "Device",
    "DeviceIdSource",
    "Family",
    "Health",
    "Hold",
    "HoldCause",
    "Installation",
    "Instance",
    "InstancePort",
    "InstanceSecret",
    "InstanceType",
    "InstanceVolume",
    "LoopCount",
    "MaintenancePolicy",
    "MaintenanceWindow",
    "Node",
    "NodeCapacity",
    "NodeWarning",
    "ObservedPod",
    "OrphanRelease",
    "Outage",
    "OutageCause",
    "Pool",
    "Question",
    "RegistryLogin",
    "RuntimeImage",
    "TenantImage",
    "TenantNamespace",
    "TenantNotice",
    "Transition",
    "Unit",
    "UsageEvidence",
    "Vendor",
    "Verdict",
    "Volume",
    "VolumeAttachment",
    "VolumeSpan",
]
