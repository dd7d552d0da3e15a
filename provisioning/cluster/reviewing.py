"""Ask a cluster which one it is, who we are to it, and what we may do there."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

from provisioning.cluster import requests
from provisioning.cluster.connections import connection_to
from provisioning.cluster.errors import ClusterUnreachable
from provisioning.cluster.requests import Request
from provisioning.models import Cluster
from provisioning.permissions import SYSTEM_NAMESPACE, Wanted
from provisioning.states import Identity

Raw = dict[str, Any]


def uid_of(cluster: Cluster, identity: Identity) -> UUID:
    """Return what stays the same as long as this is the same cluster."""
    path = f"/api/v1/namespaces/{quote(SYSTEM_NAMESPACE)}"
    answer = _ask(cluster, identity, Request(method="GET", path=path))
    try:
        return UUID(answer["metadata"]["uid"])
    except (KeyError, TypeError, ValueError) as error:
        raise ClusterUnreachable("The answer is no namespace.") from error


def user_of(cluster: Cluster, identity: Identity) -> str:
    """Return the name the cluster knows an identity by."""
    answer = _review(cluster, identity, "authentication.k8s.io", "SelfSubjectReview", {})
    user = (answer.get("status") or {}).get("userInfo") or {}
    return str(user.get("username") or "")


def may(cluster: Cluster, wanted: Wanted, *, namespace: str = "") -> bool:
    """Say whether an identity may do something, in a namespace or, without one, everywhere."""
    resource, _, subresource = wanted.resource.partition("/")
    attributes = {
        "verb": wanted.verb,
        "group": wanted.group,
        "resource": resource,
        "subresource": subresource,
        "name": wanted.name,
        "namespace": namespace,
    }
    spec = {"resourceAttributes": attributes}
    kind = "SelfSubjectAccessReview"
    answer = _review(cluster, wanted.identity, "authorization.k8s.io", kind, spec)
    return bool((answer.get("status") or {}).get("allowed"))


def _review(cluster: Cluster, identity: Identity, group: str, kind: str, spec: Raw) -> Raw:
    body = {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}
    if not spec:
        del body["spec"]
    path = f"/apis/{group}/v1/{kind.lower()}s"
    return _ask(cluster, identity, Request(method="POST", path=path, body=body))


def _ask(cluster: Cluster, identity: Identity, request: Request) -> Raw:
    return requests.ask(connection_to(cluster, identity), request)
