"""Describe a node's devices as a DRA driver publishes them: a product in, a slice out.

Pure; the simulated kubelets and the driver for real ones publish the same.
"""

from collections.abc import Collection

from provisioning.sandbox.farm import Product
from provisioning.sandbox.kubelets.devices import device_id
from provisioning.sandbox.objects import Json

API_VERSION = "resource.k8s.io/v1"
ILL_TAINT = "npu-farm.simulation/unhealthy"


def slice_name(*, driver: str, node_name: str) -> str:
    """Name the one slice of a driver on a node."""
    return f"{node_name}-{driver}"


def slice_spec(
    product: Product,
    *,
    count: int,
    node_name: str,
    generation: int = 1,
    ill: Collection[str] = (),
) -> Json:
    """The content of the slice; ill devices are tainted, so that nobody is given them."""
    return {
        "driver": product.driver,
        "nodeName": node_name,
        "pool": {"name": node_name, "generation": generation, "resourceSliceCount": 1},
        "devices": [_device(product, index, ill) for index in range(count)],
    }


def device_name(index: int) -> str:
    """The name of a device in its pool."""
    return f"npu{index}"


def is_ill(product: Product, index: int, ill: Collection[str]) -> bool:
    """Whether a device is among the ill, called by its name, its number or its id."""
    return bool({device_name(index), str(index), device_id(product, index)} & set(ill))


def class_object(product: Product) -> Json:
    """The class by which a product's devices are claimed."""
    expression = f"device.driver == '{product.driver}'"
    return {
        "apiVersion": API_VERSION,
        "kind": "DeviceClass",
        "metadata": {"name": product.device_class or product.driver},
        "spec": {"selectors": [{"cel": {"expression": expression}}]},
    }


def _device(product: Product, index: int, ill: Collection[str]) -> Json:
    name = device_name(index)
    said = {"uuid": device_id(product, index), **product.attributes}
    device: Json = {
        "name": name,
        "attributes": {key: {"string": str(value)} for key, value in said.items()},
    }
    if product.memory:
        device["capacity"] = {"memory": {"value": product.memory}}
    if is_ill(product, index, ill):
        device["taints"] = [{"key": ILL_TAINT, "value": "true", "effect": "NoExecute"}]
    return device
