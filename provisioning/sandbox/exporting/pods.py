"""An exporter pod on every node whose devices have one, kept there as a DaemonSet would."""

from collections.abc import Mapping

from provisioning.sandbox import creating, deleting
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.containers.runtime import Launch
from provisioning.sandbox.creating import WriteOptions
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.exporting import printing, readings
from provisioning.sandbox.exporting.readings import Reading
from provisioning.sandbox.kinds import NAMESPACES, PODS, Kind
from provisioning.sandbox.kubelets.ground import NodeGround
from provisioning.sandbox.objects import Json, metadata, name_of, namespace_of, spec, uid_of
from provisioning.sandbox.scheduling.amounts import is_finished
from provisioning.sandbox.store import Change
from provisioning.sandbox.workloads import web

NAMESPACE = "npu-exporters"
IMAGE = "registry.local/npu-exporter:1"
LABEL = "app.kubernetes.io/name"
# As the makers' own manifests label them; the older names come from the same exporter.
_LABELS = {
    "furiosa": "furiosa-metrics-exporter",
    "rebellions": "rbln-metrics-exporter",
    "rebellions-old": "rbln-metrics-exporter",
}
_LOOK_SECONDS = 15.0
_OPTIONS = WriteOptions(manager="exporters")


def exporters_of(ground: NodeGround) -> list[str]:
    """Which exporters a node needs."""
    products = [one for pool in ground.devices.pools.values() for one in pool.products.values()]
    return sorted({product.exporter for product in products if product.exporter})


class ExporterKeeper:
    """Sees to it that the exporters of one cluster run."""

    def __init__(self, cluster: Cluster, grounds: Mapping[str, NodeGround]) -> None:
        self._cluster = cluster
        self._is_looking = False
        self._wanted = [
            (name, exporter)
            for name, ground in grounds.items()
            for exporter in exporters_of(ground)
        ]
        if self._wanted:
            cluster.timers.soon(self._look)
            cluster.timers.every(_LOOK_SECONDS, self._look)
            cluster.store.listen(PODS, self._on_pod)

    def _on_pod(self, change: Change) -> None:
        # One look for all that go at once, as with their namespace.
        if change.type == "DELETED" and change.now.key[0] == NAMESPACE and not self._is_looking:
            self._is_looking = True
            self._cluster.timers.after(0.2, self._look)

    def _look(self) -> None:
        self._is_looking = False
        try:
            if self._cluster.store.get(NAMESPACES, "", NAMESPACE) is None:
                self._create(NAMESPACES, {"metadata": {"name": NAMESPACE}}, namespace="")
            for node, exporter in self._wanted:
                self._see_to(node, exporter)
        except StatusError:
            # A fresh namespace has no service account for a moment.
            self._cluster.timers.after(0.2, self._look)

    def _see_to(self, node: str, exporter: str) -> None:
        name = f"{exporter}-metrics-exporter-{node}"
        found = self._cluster.store.get(PODS, NAMESPACE, name)
        if found is None:
            self._create(PODS, pod(name, node=node, exporter=exporter), namespace=NAMESPACE)
        elif is_finished(found.object):
            options = DeleteOptions(grace_seconds=0)
            deleting.delete(
                self._cluster, kind=PODS, namespace=NAMESPACE, name=name, options=options
            )

    def _create(self, kind: Kind, body: Json, *, namespace: str) -> None:
        creating.create(self._cluster, kind=kind, namespace=namespace, body=body, options=_OPTIONS)


def pod(name: str, *, node: str, exporter: str) -> Json:
    """The pod of one exporter on one node."""
    container = {
        "name": "exporter",
        "image": IMAGE,
        "env": [{"name": "EXPORTER", "value": exporter}],
        "ports": [{"name": "metrics", "containerPort": printing.PORTS[exporter]}],
    }
    wish = {
        "nodeName": node,
        "restartPolicy": "Always",
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
    }
    labels = {LABEL: _LABELS[exporter]}
    return {"metadata": {"name": name, "labels": labels}, "spec": wish}


def pages_of(ground: NodeGround, launch: Launch) -> web.Pages:
    """The page of a node's exporter; none for any other container."""
    container = launch.container
    if container.get("image") != IMAGE or namespace_of(launch.pod) != NAMESPACE:
        return {}
    exporter = next(one["value"] for one in container["env"] if one["name"] == "EXPORTER")
    return {"/metrics": lambda: page(ground, exporter)}


def page(ground: NodeGround, exporter: str) -> str:
    """What an exporter of a node prints now."""
    pods = {
        uid_of(one.object): one.object
        for one in ground.cluster.store.all(PODS)
        if spec(one.object).get("nodeName") == ground.name
    }

    def where(told: Reading) -> Json:
        holder = pods.get(told.holder[0], {})
        shown = {"hostname": ground.name}
        if metadata(holder):
            shown |= {"namespace": namespace_of(holder), "pod": name_of(holder)}
            shown["container"] = told.holder[1]
        return shown

    told = readings.readings(ground.devices, exporter=exporter, at=ground.cluster.now())
    return printing.text(exporter, told, where)
