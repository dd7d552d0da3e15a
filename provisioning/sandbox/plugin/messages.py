"""The kubelet's device-plugin messages (package `v1beta1`), described field by field.

Only names and numbers matter on the wire; the classes are built from these tables at
import, so nothing has to be generated or shipped.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "v1beta1"
VERSION = "v1beta1"
HEALTHY = "Healthy"
UNHEALTHY = "Unhealthy"

_TYPES = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _TYPES.TYPE_STRING,
    "bool": _TYPES.TYPE_BOOL,
    "int32": _TYPES.TYPE_INT32,
    "int64": _TYPES.TYPE_INT64,
}
# Message -> its fields in the order of their numbers: name, type, and `*` when repeated.
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


def _described(name: str) -> descriptor_pb2.DescriptorProto:
    described = descriptor_pb2.DescriptorProto(name=name)
    for number, (field, type_) in enumerate(_MESSAGES[name], start=1):
        repeated, plain = type_.endswith("*"), type_.rstrip("*")
        added = described.field.add(name=field, number=number)
        added.label = _TYPES.LABEL_REPEATED if repeated else _TYPES.LABEL_OPTIONAL
        if plain in _SCALARS:
            added.type = _SCALARS[plain]
        else:
            added.type, added.type_name = _TYPES.TYPE_MESSAGE, f".{PACKAGE}.{plain}"
    return described


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="npu_farm/device_plugin_v1beta1.proto", package=PACKAGE, syntax="proto3"
    )
    file.message_type.extend(_described(name) for name in _MESSAGES)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _MESSAGES
    }


_CLASSES = _classes()


def message(name: str, **fields: Any) -> Any:
    """A message by its name, filled."""
    return _CLASSES[name](**fields)


def decoder(name: str) -> Any:
    """What turns bytes off the wire into a message."""
    return _CLASSES[name].FromString


def encode(sent: Any) -> bytes:
    """The bytes of a message."""
    encoded: bytes = sent.SerializeToString()
    return encoded


def entries(pairs: dict[str, str]) -> list[Any]:
    """A map's entries."""
    return [message("Entry", key=key, value=value) for key, value in pairs.items()]
