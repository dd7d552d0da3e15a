"""What every node has left, kept up to date change by change."""

from dataclasses import dataclass, field

from provisioning.sandbox.kinds import NODES, PODS
from provisioning.sandbox.objects import Json, spec, uid_of
from provisioning.sandbox.scheduling import amounts
from provisioning.sandbox.scheduling.amounts import Amounts
from provisioning.sandbox.store import Change, Store


@dataclass
class NodeLoad:
    """One node and what its pods have taken."""

    name: str
    node: Json | None = None
    offered: Amounts = field(default_factory=dict)
    left: Amounts = field(default_factory=dict)
    # How empty the node is; kept, as every pod that comes looks at every node.
    emptiness: float = 0.0
    # Open to every pod: not cordoned, not tainted.
    is_open: bool = True

    def see(self, node: Json | None) -> None:
        """The node as it is now, or None when it is gone."""
        taken = {name: self.offered.get(name, 0) - left for name, left in self.left.items()}
        self.node = node
        self.offered = amounts.offered(node) if node else {}
        self.left = {
            name: self.offered.get(name, 0) - taken.get(name, 0) for name in {*self.offered, *taken}
        }
        self.is_open = not (spec(node or {}).get("unschedulable") or spec(node or {}).get("taints"))
        self._weigh()

    def take(self, wanted: Amounts, sign: int = 1) -> None:
        """Count a pod's amounts in, or out again."""
        for name, value in wanted.items():
            self.left[name] = self.left.get(name, 0) - sign * value
        self._weigh()

    def _weigh(self) -> None:
        self.emptiness = sum(
            self.left.get(name, 0) / max(1, self.offered.get(name, 0))
            for name in ("cpu", "memory", "pods")
        )


class Occupancy:
    """The loads of all nodes of a cluster."""

    def __init__(self, store: Store) -> None:
        self._loads: dict[str, NodeLoad] = {}
        self._held: dict[str, tuple[str, Amounts]] = {}
        for stored in store.all(NODES):
            self._see_node(stored.key[1], stored.object)
        for stored in store.all(PODS):
            self._see_pod(stored.object)
        store.listen(NODES, self._on_node)
        store.listen(PODS, self._on_pod)

    def nodes(self) -> list[NodeLoad]:
        """The loads of the nodes there are."""
        return [load for load in self._loads.values() if load.node is not None]

    def _on_node(self, change: Change) -> None:
        gone = change.type == "DELETED"
        self._see_node(change.now.key[1], None if gone else change.now.object)

    def _on_pod(self, change: Change) -> None:
        if change.type == "DELETED":
            self._let_go(uid_of(change.now.object))
        else:
            self._see_pod(change.now.object)

    def _see_node(self, name: str, node: Json | None) -> None:
        self._loads.setdefault(name, NodeLoad(name)).see(node)

    def _see_pod(self, pod: Json) -> None:
        uid, node_name = uid_of(pod), spec(pod).get("nodeName")
        if not node_name or amounts.is_finished(pod):
            self._let_go(uid)
        elif uid not in self._held:
            wanted = amounts.requested(pod)
            self._held[uid] = (node_name, wanted)
            self._loads.setdefault(node_name, NodeLoad(node_name)).take(wanted)

    def _let_go(self, uid: str) -> None:
        if uid in self._held:
            node_name, wanted = self._held.pop(uid)
            self._loads[node_name].take(wanted, -1)
