"""The messages between a kubelet and a DRA driver: registration, and preparing claims."""

from provisioning.sandbox.plugin.describing import Messages, encode

__all__ = [
    "DRA",
    "HEALTH",
    "HEALTHY",
    "HEALTH_SERVICE",
    "REGISTRATION",
    "SERVICE",
    "UNHEALTHY",
    "encode",
]

SERVICE = "v1.DRAPlugin"
"""What a driver that speaks `dra.v1` says it supports."""

HEALTH_SERVICE = "v1alpha1.DRAResourceHealth"
"""What a driver that can tell of its devices' health says besides."""

HEALTHY, UNHEALTHY = 1, 2

REGISTRATION = Messages(
    "pluginregistration",
    {
        "PluginInfo": (
            ("type", "string"),
            ("name", "string"),
            ("endpoint", "string"),
            ("supported_versions", "string*"),
        ),
        "RegistrationStatus": (("plugin_registered", "bool"), ("error", "string")),
        "RegistrationStatusResponse": (),
        "InfoRequest": (),
    },
)
DRA = Messages(
    "k8s.io.kubelet.pkg.apis.dra.v1",
    {
        "Claim": (("namespace", "string"), ("uid", "string"), ("name", "string")),
        "Device": (
            ("request_names", "string*"),
            ("pool_name", "string"),
            ("device_name", "string"),
            ("cdi_device_ids", "string*"),
        ),
        "NodePrepareResourcesRequest": (("claims", "Claim*"),),
        "NodePrepareResourcesResponse": (("claims", "PreparedEntry*"),),
        "PreparedEntry": (("key", "string"), ("value", "NodePrepareResourceResponse")),
        "NodePrepareResourceResponse": (("devices", "Device*"), ("error", "string")),
        "NodeUnprepareResourcesRequest": (("claims", "Claim*"),),
        "NodeUnprepareResourcesResponse": (("claims", "UnpreparedEntry*"),),
        "UnpreparedEntry": (("key", "string"), ("value", "NodeUnprepareResourceResponse")),
        "NodeUnprepareResourceResponse": (("error", "string"),),
    },
)
HEALTH = Messages(
    "v1alpha1",
    {
        "NodeWatchResourcesRequest": (),
        "DeviceIdentifier": (("pool_name", "string"), ("device_name", "string")),
        "DeviceHealth": (
            ("device", "DeviceIdentifier"),
            # An enumeration is a number on the wire.
            ("health", "int32"),
            ("last_updated_time", "int64"),
            ("health_check_timeout_seconds", "int64"),
            ("message", "string"),
        ),
        "NodeWatchResourcesResponse": (("devices", "DeviceHealth*"),),
    },
)
