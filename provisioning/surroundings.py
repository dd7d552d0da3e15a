"""What pods are seen against: the nodes and the pools of their cluster, read once.

Only `inventorying` writes either, and the watcher itself has it do so: whoever follows a
cluster looks around anew after each list, and not at every change.
"""

from collections.abc import Mapping
from functools import cached_property

from provisioning.models import Cluster, Node, ObservedPod, Pool


class Surroundings:
    """The present nodes and the pools of one cluster, as they were when first asked for."""

    def __init__(self, cluster: Cluster, *, nodes: Mapping[str, Node] | None = None) -> None:
        self.cluster = cluster
        self._listed = nodes

    def node_of(self, pod: ObservedPod) -> Node | None:
        """Return the present life of the node the pod is on."""
        return self._nodes.get(pod.node_name) if pod.node_name else None

    def pools_named(self, resource_name: str) -> list[Pool]:
        """Return the pools of that resource name: families of one vendor may share it."""
        return [pool for pool in self._pools if pool.resource_name == resource_name]

    @cached_property
    def _nodes(self) -> Mapping[str, Node]:
        if self._listed is not None:
            return self._listed
        present = Node.objects.filter(cluster=self.cluster, gone_at__isnull=True)
        return {node.name: node for node in present}

    @cached_property
    def _pools(self) -> list[Pool]:
        return list(Pool.objects.filter(cluster=self.cluster).order_by("pk"))
