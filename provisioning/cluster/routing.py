"""What we ask of a cluster about routes: whether it knows them, which there are, make, take away.

Like `asking`, whose errors it raises.  Everything is asked as the worker.
"""

from typing import Any, Final
from urllib.parse import quote

from provisioning import names
from provisioning.cluster import requests
from provisioning.cluster.connections import connection_to
from provisioning.cluster.errors import ClusterUnreachable, NotFound
from provisioning.cluster.requests import Request
from provisioning.models import Cluster

Raw = dict[str, Any]

GATEWAY_API: Final = "/apis/gateway.networking.k8s.io/v1"
PAGE: Final = 500


def knows_routes(cluster: Cluster) -> bool:
    """Say whether the cluster has the Gateway API, with routes as they are written today."""
    try:
        told = _ask(cluster, Request(method="GET", path=GATEWAY_API))
    except NotFound:
        return False
    return any(one.get("name") == "httproutes" for one in told.get("resources") or [])


def list_routes(cluster: Cluster, *, namespace: str, selector: str) -> list[Raw]:
    """Return the routes of a selection."""
    found: list[Raw] = []
    token = ""
    while True:
        query = [("labelSelector", selector), ("limit", str(PAGE))]
        if token:
            query.append(("continue", token))
        request = Request(method="GET", path=_routes(namespace), query=tuple(query))
        answer = _ask(cluster, request)
        if not isinstance(answer.get("items"), list):
            # From something in between; taken for an empty list, routes would be made again.
            raise ClusterUnreachable("The answer is no list.")
        found += answer["items"]
        token = (answer.get("metadata") or {}).get("continue") or ""
        if not token:
            return found


def apply_route(cluster: Cluster, manifest: Raw) -> None:
    """Apply a route server-side, in our name."""
    metadata = manifest["metadata"]
    request = Request(
        method="PATCH",
        path=_route(metadata["namespace"], metadata["name"]),
        query=(("fieldManager", names.FIELD_MANAGER), ("force", "true")),
        body=manifest,
        content_type=requests.APPLY_PATCH,
    )
    _ask(cluster, request)


def delete_route(cluster: Cluster, *, namespace: str, name: str) -> None:
    """Delete a route; one that is not there is as good."""
    body = {"apiVersion": "v1", "kind": "DeleteOptions"}
    try:
        _ask(cluster, Request(method="DELETE", path=_route(namespace, name), body=body))
    except NotFound:
        return


def _ask(cluster: Cluster, request: Request) -> Raw:
    return requests.ask(connection_to(cluster), request)


def _routes(namespace: str) -> str:
    return f"{GATEWAY_API}/namespaces/{quote(namespace)}/httproutes"


def _route(namespace: str, name: str) -> str:
    return f"{_routes(namespace)}/{quote(name)}"
