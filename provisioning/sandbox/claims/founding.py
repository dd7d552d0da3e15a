"""Publish the devices of simulated nodes whose products are handed out by a driver."""

from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.dra import publishing
from provisioning.sandbox.farm import NodeSpec, Product
from provisioning.sandbox.kinds import DEVICE_CLASSES, NODES, RESOURCE_SLICES
from provisioning.sandbox.objects import Json, name_of, uid_of
from provisioning.sandbox.store import new_uid
from provisioning.sandbox.times import in_seconds

DRA = "dra"


def publish_devices(cluster: Cluster, node: NodeSpec, *, name: str) -> None:
    """Write the classes and slices of a node, unless the journal remembers them."""
    counts: dict[str, tuple[Product, int]] = {}
    for devices in node.devices:
        if devices.allocation == DRA:
            product = cluster.farm.product(devices.product)
            _, before = counts.get(product.driver, (product, 0))
            counts[product.driver] = (product, before + devices.cards * product.units_per_card)
    for product, count in counts.values():
        _found_class(cluster, product)
        _found_slice(cluster, product, count=count, node_name=name)


def _found_class(cluster: Cluster, product: Product) -> None:
    body = publishing.class_object(product)
    if cluster.store.get(DEVICE_CLASSES, "", name_of(body)) is None:
        meta = {"name": name_of(body), **_stamp(cluster), "generation": 1}
        cluster.store.put(DEVICE_CLASSES, {"metadata": meta, "spec": body["spec"]})


def _found_slice(cluster: Cluster, product: Product, *, count: int, node_name: str) -> None:
    name = publishing.slice_name(driver=product.driver, node_name=node_name)
    if cluster.store.get(RESOURCE_SLICES, "", name) is not None:
        return
    node = cluster.store.get(NODES, "", node_name)
    owner = {"apiVersion": "v1", "kind": "Node", "name": node_name, "controller": True}
    owner["uid"] = uid_of(node.object) if node else ""
    meta = {"name": name, **_stamp(cluster), "generation": 1, "ownerReferences": [owner]}
    body = publishing.slice_spec(product, count=count, node_name=node_name)
    cluster.store.put(RESOURCE_SLICES, {"metadata": meta, "spec": body})


def _stamp(cluster: Cluster) -> Json:
    return {"uid": new_uid(), "creationTimestamp": in_seconds(cluster.now())}
