"""Connect to a port of a pod: of its containers, the one that listens there."""

from collections.abc import Sequence

from provisioning.sandbox.containers.runtime import Connection
from provisioning.sandbox.kubelets.kubelet import Kubelet


async def connect(kubelet: Kubelet, container_ids: Sequence[str], port: int) -> Connection:
    """A connection; raises `ConnectionRefusedError` when nobody listens."""
    for container_id in container_ids:
        try:
            return await kubelet.ground.runtime.connect(container_id, port)
        except OSError:
            continue
    raise ConnectionRefusedError
