"""The kubelet's device-plugin messages (package `v1beta1`), described field by field.

`describing` builds the classes out of the table.
"""

from typing import Any

from provisioning.sandbox.plugin.describing import Messages, encode

__all__ = ["HEALTHY", "PACKAGE", "UNHEALTHY", "VERSION", "decoder", "encode", "entries", "message"]

PACKAGE = "v1beta1"
VERSION = "v1beta1"
HEALTHY = "Healthy"
UNHEALTHY = "Unhealthy"

_MESSAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "DevicePluginOptions": (
        ("pre_start_required", "bool"),
        ("get_preferred_allocation_available", "bool"),
    ),
    "RegisterRequest": (
        ("version", "string"),
        ("endpoint", "string"),
        ("resource_name", "string"),
        ("options", "DevicePluginOptions"),
    ),
    "Empty": (),
    "ListAndWatchResponse": (("devices", "Device*"),),
    "TopologyInfo": (("nodes", "NUMANode*"),),
    "NUMANode": (("ID", "int64"),),
    "Device": (("ID", "string"), ("health", "string"), ("topology", "TopologyInfo")),
    "PreStartContainerRequest": (("devices_ids", "string*"),),
    "PreStartContainerResponse": (),
    "PreferredAllocationRequest": (("container_requests", "ContainerPreferredAllocationRequest*"),),
    "ContainerPreferredAllocationRequest": (
        ("available_deviceIDs", "string*"),
        ("must_include_deviceIDs", "string*"),
        ("allocation_size", "int32"),
    ),
    "PreferredAllocationResponse": (
        ("container_responses", "ContainerPreferredAllocationResponse*"),
    ),
    "ContainerPreferredAllocationResponse": (("deviceIDs", "string*"),),
    "AllocateRequest": (("container_requests", "ContainerAllocateRequest*"),),
    "ContainerAllocateRequest": (("devices_ids", "string*"),),
    "CDIDevice": (("name", "string"),),
    "AllocateResponse": (("container_responses", "ContainerAllocateResponse*"),),
    "Entry": (("key", "string"), ("value", "string")),
    "ContainerAllocateResponse": (
        # A map is a repeated pair on the wire; the numbers are those of the kubelet's file.
        ("envs", "Entry*"),
        ("mounts", "Mount*"),
        ("devices", "DeviceSpec*"),
        ("annotations", "Entry*"),
        ("cdi_devices", "CDIDevice*"),
    ),
    "Mount": (("container_path", "string"), ("host_path", "string"), ("read_only", "bool")),
    "DeviceSpec": (
        ("container_path", "string"),
        ("host_path", "string"),
        ("permissions", "string"),
    ),
}


_ALL = Messages(PACKAGE, _MESSAGES)
message = _ALL.message
decoder = _ALL.decoder


def entries(pairs: dict[str, str]) -> list[Any]:
    """A map's entries."""
    return [message("Entry", key=key, value=value) for key, value in pairs.items()]
