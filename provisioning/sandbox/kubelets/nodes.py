"""The node object of a simulated kubelet, and the lease that proves it alive."""

import hashlib
import uuid
from datetime import datetime

from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.conditions import with_condition
from provisioning.sandbox.farm import NodeSpec
from provisioning.sandbox.kinds import LEASES, NODES
from provisioning.sandbox.kubelets.devices import NodeDevices
from provisioning.sandbox.kubelets.ground import NodeGround
from provisioning.sandbox.objects import Json, with_status
from provisioning.sandbox.store import new_uid
from provisioning.sandbox.times import in_micros, in_seconds

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
_CHECKS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory",
     "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)  # fmt: skip


def node_object(ground: NodeGround, node: NodeSpec) -> Json:
    """A node as its kubelet registers it."""
    cluster, name, devices = ground.cluster, ground.name, ground.devices
    at = cluster.now()
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        **_product_labels(cluster, node),
        **node.labels,
    }
    meta = {"name": name, "uid": new_uid(), "creationTimestamp": in_seconds(at), "labels": labels}
    return {
        "metadata": meta,
        "spec": {},
        "status": {
            **_amounts(node, devices),
            "conditions": ready_conditions(at),
            "addresses": [
                {"type": "InternalIP", "address": ground.host_ip},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": _node_info(cluster, name),
            "images": [],
        },
    }


def _product_labels(cluster: Cluster, node: NodeSpec) -> dict[str, str]:
    labels: dict[str, str] = {}
    for devices in node.devices:
        labels |= cluster.farm.product(devices.product).node_labels
    return labels


def _amounts(node: NodeSpec, devices: NodeDevices) -> Json:
    plain = {
        "cpu": node.cpu,
        "memory": node.memory,
        "ephemeral-storage": node.storage,
        "pods": str(node.pods),
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
    }
    return {
        "capacity": {**plain, **devices.capacity()},
        "allocatable": {**plain, **devices.allocatable()},
    }


def with_device_counts(node: Json, devices: NodeDevices) -> Json:
    """The node with its devices counted anew."""
    told = node["status"]
    return with_status(
        node,
        capacity={**told["capacity"], **devices.capacity()},
        allocatable={**told["allocatable"], **devices.allocatable()},
    )


def ready_conditions(at: datetime) -> list[Json]:
    """The conditions of a node that is well."""
    stamp = in_seconds(at)
    return [
        {
            "type": type_, "status": status, "lastHeartbeatTime": stamp,
            "lastTransitionTime": stamp, "reason": reason, "message": message,
        }
        for type_, status, reason, message in _CHECKS
    ]  # fmt: skip


def with_kubelet_unready(node: Json, at: datetime, message: str) -> Json:
    """The node as a kubelet reports it that is there and cannot run pods."""
    condition = {
        "type": "Ready", "status": "False", "lastHeartbeatTime": in_seconds(at),
        "reason": "KubeletNotReady", "message": message,
    }  # fmt: skip
    return with_condition(node, condition, at=at)


def with_kubelet_back(node: Json, at: datetime, rebooted: bool) -> Json:
    """The node as its kubelet reports it after an absence."""
    info = node["status"]["nodeInfo"]
    if rebooted:
        info = {**info, "bootID": new_uid()}
    return with_status(node, conditions=ready_conditions(at), nodeInfo=info)


def _node_info(cluster: Cluster, name: str) -> Json:
    machine = hashlib.sha256(f"{cluster.name}/{name}".encode()).hexdigest()[:32]
    return {
        "machineID": machine,
        "systemUUID": str(uuid.UUID(machine)),
        "bootID": new_uid(),
        "kernelVersion": "6.1.0-sandbox",
        "osImage": "NPU Farm sandbox",
        "containerRuntimeVersion": "sandbox://1",
        "kubeletVersion": cluster.farm.server.version,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }


def renew_lease(cluster: Cluster, node_name: str) -> None:
    """Prove a node alive for another while."""
    at = in_micros(cluster.now())
    found = cluster.store.get(LEASES, LEASE_NAMESPACE, node_name)
    lease = found.object if found else _new_lease(cluster, node_name)
    spec = {
        "holderIdentity": node_name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": at,
    }  # fmt: skip
    cluster.store.put(LEASES, {**lease, "spec": spec})


def _new_lease(cluster: Cluster, node_name: str) -> Json:
    node = cluster.store.get(NODES, "", node_name)
    owner = {
        "apiVersion": "v1", "kind": "Node", "name": node_name,
        "uid": node.object["metadata"]["uid"] if node else "",
    }  # fmt: skip
    return {
        "metadata": {
            "name": node_name,
            "namespace": LEASE_NAMESPACE,
            "uid": new_uid(),
            "creationTimestamp": in_seconds(cluster.now()),
            "ownerReferences": [owner],
        }
    }
