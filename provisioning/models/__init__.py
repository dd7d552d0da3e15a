from provisioning.models.catalog import Confidence, Family, InstanceType, RuntimeImage, Vendor
from provisioning.models.clusters import Cluster, ClusterState, TenantNamespace
from provisioning.models.installation import Installation
from provisioning.models.instances import Allocation, Attempt, DeadLetter, Instance, Transition
from provisioning.models.inventory import AllocationMode, DeviceIdSource, Node, NodeCapacity, Pool
from provisioning.models.observations import ObservedPod, UsageEvidence
from provisioning.models.restoring import ClusterMark, Hold, HoldCause

__all__ = [
    "Allocation",
    "AllocationMode",
    "Attempt",
    "Cluster",
    "ClusterMark",
    "ClusterState",
    "Confidence",
    "DeadLetter",
    "DeviceIdSource",
    "Family",
    "Hold",
    "HoldCause",
    "Installation",
    "Instance",
    "InstanceType",
    "Node",
    "NodeCapacity",
    "ObservedPod",
    "Pool",
    "RuntimeImage",
    "TenantNamespace",
    "Transition",
    "UsageEvidence",
    "Vendor",
]
