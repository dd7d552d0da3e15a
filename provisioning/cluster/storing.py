"""What we ask of a cluster about storage and secrets: claims, storage classes, Secret objects.

Like `asking`, whose errors it raises.  Secrets are written and deleted and never read back:
the worker's identity has no right to.
"""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from provisioning import names
from provisioning.cluster import asking, requests
from provisioning.cluster.connections import connection_to
from provisioning.cluster.errors import NotFound
from provisioning.cluster.requests import Request
from provisioning.models import Cluster

Raw = dict[str, Any]

CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"
IS_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"


def get_claim(cluster: Cluster, *, namespace: str, name: str) -> Raw:
    """Return a claim by name."""
    return _ask(cluster, Request(method="GET", path=_claim(namespace, name)))


def list_claims(cluster: Cluster, *, selector: str) -> Iterable[Raw]:
    """Return all claims of a selection, page by page."""
    return asking.Listing(cluster, "/api/v1/persistentvolumeclaims", selector=selector)


def apply_claim(cluster: Cluster, manifest: Raw) -> Raw:
    """Apply a claim server-side, in our name; returns it as it is now."""
    metadata = manifest["metadata"]
    return _apply(cluster, _claim(metadata["namespace"], metadata["name"]), manifest)


def delete_claim(cluster: Cluster, *, namespace: str, name: str, uid: str) -> None:
    """Ask for the end of this very claim; it stays while a pod uses it."""
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
    _ask(cluster, Request(method="DELETE", path=_claim(namespace, name), body=body))


def find_class(cluster: Cluster, *, name: str) -> Raw | None:
    """Return a storage class by name, or the cluster's default one; None when there is none."""
    if name:
        try:
            return _ask(cluster, Request(method="GET", path=f"{CLASSES}/{quote(name)}"))
        except NotFound:
            return None
    found = _ask(cluster, Request(method="GET", path=CLASSES)).get("items") or []
    return next((one for one in found if _is_default(one)), None)


def apply_secret(cluster: Cluster, manifest: Raw) -> None:
    """Write a Secret; what the cluster answers holds the values and is dropped."""
    metadata = manifest["metadata"]
    _apply(cluster, _secret(metadata["namespace"], metadata["name"]), manifest)


def delete_secret(cluster: Cluster, *, namespace: str, name: str) -> None:
    """Delete a Secret; one that is not there is as good."""
    body = {"apiVersion": "v1", "kind": "DeleteOptions"}
    try:
        _ask(cluster, Request(method="DELETE", path=_secret(namespace, name), body=body))
    except NotFound:
        return


def _is_default(found: Raw) -> bool:
    return (found["metadata"].get("annotations") or {}).get(IS_DEFAULT) == "true"


def _apply(cluster: Cluster, path: str, manifest: Raw) -> Raw:
    query = (("fieldManager", names.FIELD_MANAGER), ("force", "true"))
    request = Request(
        method="PATCH",
        path=path,
        query=query,
        body=manifest,
        content_type=requests.APPLY_PATCH,
    )
    return _ask(cluster, request)


def _ask(cluster: Cluster, request: Request) -> Raw:
    return requests.ask(connection_to(cluster), request)


def _claim(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}/persistentvolumeclaims/{quote(name)}"


def _secret(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}/secrets/{quote(name)}"
