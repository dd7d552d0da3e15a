"""Write the claim by which a pod asks for devices, and read which devices it was given.

Pure.  A tenant's namespace holds one template for each size of each DRA pool, named after
what is in it; the cluster makes a claim of it for every pod, gives it away with the pod,
and takes it back when the pod has ended, whatever finalizer still holds the pod.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from provisioning import manifests, names
from provisioning.manifests import Manifest
from provisioning.names import Marks
from provisioning.specs import Device, DeviceRequest

GROUP_VERSION: Final = "resource.k8s.io/v1"

Raw = Mapping[str, Any]


def request_of(*, device_class: str, dra: Raw, count: int) -> DeviceRequest:
    """Return what a pod of so many devices asks of a class."""
    return DeviceRequest(device_class=device_class, count=count, expression=_expression(dra))


def template_name(request: DeviceRequest) -> str:
    """Name a template after its content, since the content of one can never change."""
    return f"npu-{request.count}-{manifests.digest(_spec(request))[:10]}"


def template_for(
    request: DeviceRequest, *, marks: Marks, namespace: str, tenant_id: int
) -> Manifest:
    """Write the template of one request."""
    labels = marks.labels(tenant=str(tenant_id))
    return {
        "apiVersion": GROUP_VERSION,
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": template_name(request), "namespace": namespace, "labels": labels},
        "spec": {"metadata": {"labels": labels}, "spec": _spec(request)},
    }


def claim_names(pod: Raw) -> list[str]:
    """Return the claims the cluster has made for a pod."""
    told = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    return [str(one["resourceClaimName"]) for one in told if one.get("resourceClaimName")]


def devices_in(claim: Raw, *, node_name: str) -> list[Device]:
    """Read which devices a claim was given; none while it waits for them."""
    requests = ((claim.get("spec") or {}).get("devices") or {}).get("requests") or ()
    classes = {one["name"]: (one.get("exactly") or {}).get("deviceClassName") for one in requests}
    allocation = (claim.get("status") or {}).get("allocation") or {}
    results = (allocation.get("devices") or {}).get("results") or ()
    return [_device(result, classes, node_name) for result in results]


def _device(result: Raw, classes: Mapping[str, str | None], node_name: str) -> Device:
    # Ids are unique within a pool; drivers name a node's own pool after the node.
    is_own = result["pool"] == node_name
    return Device(
        resource_name=str(classes.get(result["request"]) or result["driver"]),
        device_id=result["device"] if is_own else f"{result['pool']}/{result['device']}",
        health="Unknown",
    )


def quotas(classes: Iterable[tuple[str, int]], *, most_claims: int) -> dict[str, str]:
    """Return what a namespace may hold of each class at most."""
    hard = {f"{name}.deviceclass.resource.k8s.io/devices": str(count) for name, count in classes}
    return {**hard, "count/resourceclaims.resource.k8s.io": str(most_claims)} if hard else {}


def _spec(request: DeviceRequest) -> Manifest:
    exactly: Manifest = {
        "deviceClassName": request.device_class,
        "allocationMode": "ExactCount",
        "count": request.count,
    }
    if request.expression:
        exactly["selectors"] = [{"cel": {"expression": request.expression}}]
    return {"devices": {"requests": [{"name": names.CLAIM, "exactly": exactly}]}}


def _expression(dra: Raw) -> str:
    """Tell a family from the others of its class; a device without the attribute is none of it."""
    if not dra.get("attribute_prefix"):
        return ""
    attributes = f'device.attributes["{dra["driver"]}"]'
    name, prefix = dra["attribute"], dra["attribute_prefix"]
    return f'"{name}" in {attributes} && {attributes}.{name}.startsWith("{prefix}")'
