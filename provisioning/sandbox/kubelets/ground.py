"""What the pods of one node share: its devices, its images, its runtime, its addresses."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from provisioning.sandbox import events
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.containers.record import NoRecord, Record
from provisioning.sandbox.containers.runtime import Runtime
from provisioning.sandbox.kubelets.devices import NodeDevices
from provisioning.sandbox.kubelets.images import NodeImages
from provisioning.sandbox.store import Stored

KUBELET = "kubelet"
# The first addresses of a node's range belong to the node.
_FIRST_POD = 3


@dataclass(eq=False)
class NodeGround:
    """The ground the pods of a node stand on."""

    cluster: Cluster
    name: str
    number: int
    devices: NodeDevices
    images: NodeImages
    runtime: Runtime
    record: Record = field(default_factory=NoRecord)
    _addresses: Iterator[int] = field(default_factory=lambda: count(_FIRST_POD))

    @property
    def host_ip(self) -> str:
        """The node's own address."""
        return f"10.254.{self.number // 250}.{self.number % 250 + 1}"

    def new_pod_ip(self) -> str:
        """An address for one more pod; they come around again after a good while."""
        position = next(self._addresses) % (250 * 250)
        return f"10.{100 + self.number % 100}.{position // 250}.{position % 250 + 1}"

    def tell(
        self,
        about: Stored,
        reason: str,
        message: str,
        *,
        where: str = "",
        type_: events.Type = "Normal",
    ) -> None:
        """An event from this node's kubelet."""
        events.record(
            self.cluster, about=about, reason=reason, message=message, source=KUBELET,
            host=self.name, type_=type_, field_path=where,
        )  # fmt: skip
