"""Raise a cluster from its description: nodes, scheduler, kubelets and keepers.

What the journal remembers wins over the farm file, so a restarted sandbox goes on
with the pods it had.
"""

from dataclasses import dataclass
from pathlib import Path

from provisioning.sandbox import events
from provisioning.sandbox.cluster import Cluster, lay_ground
from provisioning.sandbox.containers.simulated import SimulatedRuntime
from provisioning.sandbox.farm import ClusterSpec, Farm, NodeSpec
from provisioning.sandbox.journal import FileJournal
from provisioning.sandbox.keeping.namespaces import NamespaceKeeper
from provisioning.sandbox.kinds import NAMESPACES, NODES, PODS
from provisioning.sandbox.kubelets import nodes
from provisioning.sandbox.kubelets.devices import NodeDevices
from provisioning.sandbox.kubelets.images import NodeImages
from provisioning.sandbox.kubelets.kubelet import Kubelet
from provisioning.sandbox.objects import spec, uid_of
from provisioning.sandbox.scheduling.scheduler import Scheduler
from provisioning.sandbox.store import Change, NoJournal, new_uid
from provisioning.sandbox.times import Clock, in_seconds

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
    journal = FileJournal(folder / f"{spec.name}.journal") if folder else None
    cluster = lay_ground(spec=spec, farm=farm, clock=clock, journal=journal or NoJournal())
    if journal:
        journal.load(cluster.store)
        # What a client saw before the restart cannot be resumed from, as after a real one.
        cluster.history.forget()
    _found_namespaces(cluster)
    kubelets = _raise_nodes(cluster)
    NamespaceKeeper(cluster)
    raised = Raised(cluster, kubelets, Scheduler(cluster), journal)
    _start_kubelets(raised)
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


def _raise_nodes(cluster: Cluster) -> dict[str, Kubelet]:
    kubelets: dict[str, Kubelet] = {}
    for node in cluster.spec.nodes:
        for name in _names(node):
            kubelets[name] = _raise_node(cluster, node, name=name, number=len(kubelets))
    return kubelets


def _names(node: NodeSpec) -> list[str]:
    if node.count == 1:
        return [node.name]
    return [f"{node.name}-{number}" for number in range(1, node.count + 1)]


def _raise_node(cluster: Cluster, node: NodeSpec, *, name: str, number: int) -> Kubelet:
    devices = NodeDevices(farm=cluster.farm, node=node)
    kubelet = Kubelet(
        cluster,
        node_name=name,
        number=number,
        devices=devices,
        images=NodeImages(cluster, node_name=name, present=node.images),
        runtime=SimulatedRuntime(farm=cluster.farm, clock=cluster.clock, timers=cluster.timers),
    )
    if cluster.store.get(NODES, "", name) is None:
        obj = nodes.node_object(cluster, node, name=name, host_ip=kubelet.host_ip, devices=devices)
        cluster.store.put(NODES, obj)
    nodes.renew_lease(cluster, name)
    return kubelet


def _start_kubelets(raised: Raised) -> None:
    cluster, kubelets = raised.cluster, raised.kubelets

    def on_pod(change: Change) -> None:
        kubelet = kubelets.get(spec(change.now.object).get("nodeName") or "")
        if kubelet is None:
            return
        if change.type == "DELETED":
            kubelet.forget(uid_of(change.now.object))
        elif _needs_kubelet(change):
            kubelet.ask(change.now.key)

    cluster.store.listen(PODS, on_pod)
    for kubelet in kubelets.values():
        mine = [
            stored
            for stored in cluster.store.all(PODS)
            if spec(stored.object).get("nodeName") == kubelet.node_name
        ]
        kubelet.devices.restore(stored.object for stored in mine)
        for stored in mine:
            kubelet.ask(stored.key, delay=0.0)


def _needs_kubelet(change: Change) -> bool:
    """Only what somebody else wrote: a kubelet's own status must not wake it."""
    if change.before is None:
        return True
    before, now = change.before.object, change.now.object
    return bool(
        before["spec"] != now["spec"]
        or before["metadata"].get("deletionTimestamp") != now["metadata"].get("deletionTimestamp")
        or before["metadata"].get("deletionGracePeriodSeconds")
        != now["metadata"].get("deletionGracePeriodSeconds")
    )


def _keep_house(raised: Raised) -> None:
    cluster = raised.cluster

    def renew() -> None:
        for kubelet in raised.kubelets.values():
            if kubelet.is_online:
                nodes.renew_lease(cluster, kubelet.node_name)

    def tidy() -> None:
        cluster.history.trim()
        events.forget_old(cluster)
        if raised.journal and raised.journal.wants_rewrite:
            raised.journal.rewrite(cluster.store.everything(), rv=cluster.store.rv)

    cluster.timers.every(cluster.farm.delays.lease, renew)
    cluster.timers.every(30.0, tidy)
