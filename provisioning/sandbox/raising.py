"""Raise a cluster from its description: nodes, scheduler, kubelets and keepers.

What the journal remembers wins over the farm file, so a restarted sandbox goes on
with the pods it had.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioning.sandbox import events
from provisioning.sandbox.claims import founding
from provisioning.sandbox.claims.keeper import ClaimKeeper
from provisioning.sandbox.cluster import Cluster, lay_ground
from provisioning.sandbox.containers.choosing import ChoosingRuntime
from provisioning.sandbox.containers.processes import ProcessRuntime
from provisioning.sandbox.containers.record import FileRecord, NoRecord, Record
from provisioning.sandbox.containers.runtime import Launch
from provisioning.sandbox.containers.scratch import Scratch
from provisioning.sandbox.containers.simulated import SimulatedRuntime
from provisioning.sandbox.exporting import pods as exporters
from provisioning.sandbox.exporting.pods import ExporterKeeper
from provisioning.sandbox.farm import ClusterSpec, Farm, NodeSpec
from provisioning.sandbox.journal import FileJournal
from provisioning.sandbox.keeping.namespaces import NamespaceKeeper
from provisioning.sandbox.keeping.nodes import NodeKeeper
from provisioning.sandbox.keeping.quotas import QuotaKeeper
from provisioning.sandbox.kinds import DEVICE_STATES, NAMESPACES, NODES, PODS
from provisioning.sandbox.kubelets import nodes
from provisioning.sandbox.kubelets.devices import NodeDevices
from provisioning.sandbox.kubelets.ground import NodeGround
from provisioning.sandbox.kubelets.images import NodeImages
from provisioning.sandbox.kubelets.kubelet import Kubelet
from provisioning.sandbox.objects import spec
from provisioning.sandbox.scheduling.scheduler import Scheduler
from provisioning.sandbox.storage import keeper as storage
from provisioning.sandbox.store import Change, NoJournal, Stored, new_uid
from provisioning.sandbox.times import Clock, in_seconds
from provisioning.sandbox.workloads import web

# All local processes of this one share its addresses and its limits, whatever their cluster.
_SCRATCH = Scratch()
SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


@dataclass(eq=False)
class Raised:
    """A cluster and its inner life."""

    cluster: Cluster
    kubelets: dict[str, Kubelet]
    scheduler: Scheduler
    journal: FileJournal | None


def raise_cluster(
    *, spec: ClusterSpec, farm: Farm, clock: Clock, folder: Path | None = None
) -> Raised:
    """A cluster at work, with what its journal remembers."""
    journal = FileJournal(folder / f"{spec.name}.journal") if folder else None
    cluster = lay_ground(spec=spec, farm=farm, clock=clock, journal=journal or NoJournal())
    if journal:
        journal.load(cluster.store)
    _found_namespaces(cluster)
    storage.found_class(cluster)
    record = FileRecord(folder / f"{spec.name}.runs", at=clock.now()) if folder else NoRecord()
    kubelets = _raise_nodes(cluster, record)
    # What a client saw before the start cannot be resumed from, as after a real server's.
    cluster.history.forget()
    NamespaceKeeper(cluster)
    QuotaKeeper(cluster)
    NodeKeeper(cluster)
    storage.StorageKeeper(cluster)
    ClaimKeeper(cluster)
    raised = Raised(cluster, kubelets, Scheduler(cluster), journal)
    _start_kubelets(cluster, kubelets)
    ExporterKeeper(cluster, {name: kubelet.ground for name, kubelet in kubelets.items()})
    _keep_house(raised)
    return raised


def _found_namespaces(cluster: Cluster) -> None:
    for name in SYSTEM_NAMESPACES:
        if cluster.store.get(NAMESPACES, "", name) is None:
            labels = {"kubernetes.io/metadata.name": name}
            meta = {"name": name, "uid": new_uid(), "labels": labels}
            meta["creationTimestamp"] = in_seconds(cluster.now())
            namespace = {"metadata": meta, "spec": {"finalizers": ["kubernetes"]}}
            cluster.store.put(NAMESPACES, {**namespace, "status": {"phase": "Active"}})


def _raise_nodes(cluster: Cluster, record: Record) -> dict[str, Kubelet]:
    kubelets: dict[str, Kubelet] = {}
    for node in cluster.spec.nodes:
        for name in _names(node):
            kubelets[name] = _raise_node(
                cluster, node, name=name, number=len(kubelets), record=record
            )
    return kubelets


def _names(node: NodeSpec) -> list[str]:
    if node.count == 1:
        return [node.name]
    return [f"{node.name}-{number}" for number in range(1, node.count + 1)]


def _raise_node(
    cluster: Cluster, node: NodeSpec, *, name: str, number: int, record: Record
) -> Kubelet:
    ground = NodeGround(
        cluster=cluster,
        name=name,
        number=number,
        devices=NodeDevices(farm=cluster.farm, node=node),
        # Exporters come with the devices' operator, and so does their image.
        images=NodeImages(cluster, node_name=name, present=(*node.images, exporters.IMAGE)),
        runtime=_runtime(cluster, lambda launch: exporters.pages_of(ground, launch)),
        record=record,
    )
    _restore_health(cluster, ground)
    if cluster.store.get(NODES, "", name) is None:
        cluster.store.put(NODES, nodes.node_object(ground, node))
    founding.publish_devices(cluster, node, name=name)
    nodes.renew_lease(cluster, name)
    return Kubelet(ground)


def _runtime(cluster: Cluster, pages: Callable[[Launch], web.Pages]) -> ChoosingRuntime:
    clock, timers = cluster.clock, cluster.timers
    return ChoosingRuntime(
        farm=cluster.farm,
        simulated=SimulatedRuntime(farm=cluster.farm, clock=clock, timers=timers, pages=pages),
        processes=ProcessRuntime(scratch=_SCRATCH, clock=clock, timers=timers),
    )


def _restore_health(cluster: Cluster, ground: NodeGround) -> None:
    remembered = cluster.store.get(DEVICE_STATES, "", ground.name)
    for resource, ids in (remembered.object["unhealthy"] if remembered else {}).items():
        if resource in ground.devices.pools:
            ground.devices.pools[resource].unhealthy.update(ids)


def _start_kubelets(cluster: Cluster, kubelets: dict[str, Kubelet]) -> None:
    def hear(change: Change) -> None:
        kubelet = kubelets.get(spec(change.now.object).get("nodeName") or "")
        if kubelet:
            kubelet.hear(change)

    cluster.store.listen(PODS, hear)
    for kubelet in kubelets.values():
        kubelet.resume(pods_of(cluster, kubelet.name))


def pods_of(cluster: Cluster, node_name: str) -> list[Stored]:
    """The pods bound to a node."""
    return [one for one in cluster.store.all(PODS) if spec(one.object).get("nodeName") == node_name]


def _keep_house(raised: Raised) -> None:
    cluster = raised.cluster

    def renew() -> None:
        for kubelet in raised.kubelets.values():
            if kubelet.is_online:
                nodes.renew_lease(cluster, kubelet.name)

    def tidy() -> None:
        cluster.history.trim()
        events.forget_old(cluster)
        if raised.journal and raised.journal.wants_rewrite:
            raised.journal.rewrite(cluster.store.everything(), rv=cluster.store.rv)

    cluster.timers.every(cluster.farm.delays.lease, renew)
    cluster.timers.every(30.0, tidy)
