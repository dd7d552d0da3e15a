"""The node controllers: a node that is silent or says it is not ready is tainted and emptied.

Pods on a lost node are deleted when their toleration ends; they stay Terminating until
their kubelet comes back, as nobody else can say that their containers are down.
"""

from provisioning.sandbox import deleting
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.conditions import condition_of, with_condition
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.kinds import LEASES, NODES, PODS
from provisioning.sandbox.kubelets.nodes import LEASE_NAMESPACE
from provisioning.sandbox.objects import Json, is_deleting, spec, uid_of, with_spec
from provisioning.sandbox.scheduling import fitting
from provisioning.sandbox.scheduling.amounts import is_finished
from provisioning.sandbox.store import Change, Stored
from provisioning.sandbox.times import in_seconds, parse

UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"
# What each word of the Ready condition brings upon a node.
_FOLLOWING = {"Unknown": UNREACHABLE, "False": NOT_READY}
CORDONED = "node.kubernetes.io/unschedulable"
_EMPTYING = [{"key": key, "effect": "NoExecute"} for key in _FOLLOWING.values()]
_DISRUPTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "DeletionByTaintManager",
    "message": "Taint manager: deleting due to NoExecute taint",
}


class NodeKeeper:
    """Watches over the nodes of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        cluster.store.listen(NODES, self._on_node)
        cluster.timers.every(cluster.farm.delays.node_monitor, self._look)

    def _on_node(self, change: Change) -> None:
        if change.type != "DELETED" and _taints(change.now.object) != _wanted_taints(
            change.now.object
        ):
            name = change.now.key[1]
            self._cluster.timers.soon(lambda: self._retaint(name))

    def _retaint(self, name: str) -> None:
        """Bring the taints in line with the cordon and the Ready condition."""
        stored = self._cluster.store.get(NODES, "", name)
        if stored is None:
            return
        wanted = _wanted_taints(stored.object)
        if wanted == _taints(stored.object):
            return
        stamped = [self._stamped(stored.object, taint) for taint in wanted]
        self._cluster.store.put(NODES, with_spec(stored.object, taints=stamped or None))
        for taint in wanted:
            if taint in _EMPTYING:
                self._plan_evictions(name, taint)

    def _stamped(self, node: Json, taint: Json) -> Json:
        for present in spec(node).get("taints") or []:
            if _plain(present) == taint:
                found: Json = present
                return found
        return {**taint, "timeAdded": in_seconds(self._cluster.now())}

    def _look(self) -> None:
        for stored in self._cluster.store.all(NODES):
            if (
                self._is_silent(stored)
                and condition_of(stored.object, "Ready")["status"] != "Unknown"
            ):
                self._mark_lost(stored)

    def _is_silent(self, stored: Stored) -> bool:
        lease = self._cluster.store.get(LEASES, LEASE_NAMESPACE, stored.key[1])
        renewed = spec(lease.object).get("renewTime") if lease else None
        if renewed is None:
            return False
        age = (self._cluster.now() - parse(renewed)).total_seconds()
        return age > self._cluster.farm.delays.node_monitor_grace

    def _mark_lost(self, stored: Stored) -> None:
        at, node = self._cluster.now(), stored.object
        for type_ in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready"):
            unknown = {
                **condition_of(node, type_),
                "status": "Unknown",
                "reason": "NodeStatusUnknown",
                "message": "Kubelet stopped posting node status.",
            }
            node = with_condition(node, unknown, at=at)
        self._cluster.store.put(NODES, node)
        # A kubelet that said itself that it was not ready has spoken for its pods.
        if condition_of(stored.object, "Ready")["status"] == "True":
            for pod in self._pods_on(stored.key[1]):
                self._mark_not_ready(pod)

    def _mark_not_ready(self, stored: Stored) -> None:
        ready = condition_of(stored.object, "Ready")
        if ready.get("status") == "True":
            now = with_condition(
                stored.object, {**ready, "status": "False"}, at=self._cluster.now()
            )
            self._cluster.store.put(PODS, now)

    def _pods_on(self, node: str) -> list[Stored]:
        return [
            one for one in self._cluster.store.all(PODS) if spec(one.object).get("nodeName") == node
        ]

    def _plan_evictions(self, node: str, taint: Json) -> None:
        for pod in self._pods_on(node):
            seconds = _tolerated_for(pod.object, taint)
            if seconds is not None and not is_deleting(pod.object) and not is_finished(pod.object):
                self._plan_eviction(pod, node, taint, seconds)

    def _plan_eviction(self, pod: Stored, node: str, taint: Json, seconds: float) -> None:
        key, uid = pod.key, uid_of(pod.object)

        def evict() -> None:
            stored = self._cluster.store.get(NODES, "", node)
            found = self._cluster.store.get(PODS, *key)
            is_tainted = stored is not None and taint in _taints(stored.object)
            if not is_tainted or found is None or uid_of(found.object) != uid:
                return
            if not is_deleting(found.object):
                self._evict(found)

        self._cluster.timers.after(seconds, evict)

    def _evict(self, stored: Stored) -> None:
        marked = with_condition(stored.object, _DISRUPTED, at=self._cluster.now())
        self._cluster.store.put(PODS, marked)
        namespace, name = stored.key
        deleting.delete(
            self._cluster, kind=PODS, namespace=namespace, name=name, options=DeleteOptions()
        )


def _taints(node: Json) -> list[Json]:
    return [_plain(taint) for taint in spec(node).get("taints") or []]


def _plain(taint: Json) -> Json:
    return {key: value for key, value in taint.items() if key != "timeAdded"}


def _wanted_taints(node: Json) -> list[Json]:
    """The taints others set, and those that follow from cordon and condition."""
    ours = (UNREACHABLE, NOT_READY, CORDONED)
    others = [taint for taint in _taints(node) if taint.get("key") not in ours]
    if spec(node).get("unschedulable"):
        others.append({"key": CORDONED, "effect": "NoSchedule"})
    key = _FOLLOWING.get(str(condition_of(node, "Ready").get("status")))
    if key:
        others += [{"key": key, "effect": effect} for effect in ("NoSchedule", "NoExecute")]
    return others


def _tolerated_for(pod: Json, taint: Json) -> float | None:
    """Seconds a pod may stay on a node with the taint; None: for ever."""
    covering = [one for one in spec(pod).get("tolerations") or [] if fitting.covers(one, taint)]
    if not covering:
        return 0.0
    limits = [float(one["tolerationSeconds"]) for one in covering if "tolerationSeconds" in one]
    return min(limits) if limits else None
