"""Write an instance's port as an HTTPRoute, and read what a gateway says of it: pure.

A route leads to the portal, never to a pod: who may come in is decided on every request,
and a gateway that does not know how to ask would be an open door.  The route adds that a
host is known at the edge for just as long as its port is open.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from provisioning import names
from provisioning.manifests import Manifest
from provisioning.names import Marks

Raw = Mapping[str, Any]

GROUP: Final = "gateway.networking.k8s.io"
API_VERSION: Final = f"{GROUP}/v1"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One gateway, and the Service of the portal's behind it."""

    gateway_namespace: str
    gateway_name: str
    namespace: str
    service_name: str
    service_port: int


def route_for(
    edge: Edge, *, marks: Marks, instance_id: UUID, port: int, tenant_id: int, domain: str
) -> Manifest:
    """Write the route of one port."""
    parent = {"namespace": edge.gateway_namespace, "name": edge.gateway_name}
    backend = {"name": edge.service_name, "port": edge.service_port}
    return {
        "apiVersion": API_VERSION,
        "kind": "HTTPRoute",
        "metadata": {
            "name": name_of(instance_id=instance_id, port=port),
            "namespace": edge.namespace,
            "labels": marks.labels(instance=str(instance_id), tenant=str(tenant_id)),
        },
        "spec": {
            "parentRefs": [parent],
            "hostnames": [names.port_host(instance_id=instance_id, port=port, domain=domain)],
            "rules": [{"backendRefs": [backend]}],
        },
    }


def name_of(*, instance_id: UUID, port: int) -> str:
    """Name a route after its port, so that it can be taken away without looking."""
    return f"{instance_id}-{port}"


def is_as_wished(found: Raw | None, wished: Manifest) -> bool:
    """Say whether a route is what we would write; what the server added does not matter."""
    if found is None:
        return False
    parts = (("metadata", "labels"), ("spec",))
    return all(_holds(_inside(found, part), _inside(wished, part)) for part in parts)


def refusals_of(found: Raw) -> Iterator[str]:
    """Return why gateways do not carry a route, in their own words."""
    name = (found.get("metadata") or {}).get("name")
    for parent in (found.get("status") or {}).get("parents") or []:
        for condition in parent.get("conditions") or []:
            if condition.get("status") == "False":
                yield f"{name}: {condition.get('reason')}: {condition.get('message')}"


def _inside(whole: Raw, path: tuple[str, ...]) -> Any:
    part: Any = whole
    for key in path:
        part = (part or {}).get(key)
    return part


def _holds(found: Any, wished: Any) -> bool:
    if isinstance(wished, Mapping):
        is_mapping = isinstance(found, Mapping)
        return is_mapping and all(_holds(found.get(key), value) for key, value in wished.items())
    if isinstance(wished, list):
        if not isinstance(found, list) or len(found) != len(wished):
            return False
        return all(_holds(one, other) for one, other in zip(found, wished, strict=True))
    return bool(found == wished)
