"""What we ask of a cluster: one function per question, raw JSON for answers.

A function raises the errors of `cluster.errors` and nothing else.  What is listed is asked
as the watcher, what an instance says as access, everything else as the worker.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote

from provisioning import names
from provisioning.cluster import requests
from provisioning.cluster.connections import connection_to, renew_connection
from provisioning.cluster.errors import ClusterUnreachable, PreconditionFailed, Unauthenticated
from provisioning.cluster.requests import Request
from provisioning.models import Cluster
from provisioning.states import Identity

Raw = dict[str, Any]

PAGE: Final = 500
NODE_LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
# A server that cannot leave the rest out answers with whole pods, which hold the same.
METADATA_ONLY: Final = (
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
)


def version(cluster: Cluster) -> Raw:
    """Return what the API server says of itself."""
    return _ask(cluster, Request(method="GET", path="/version"), Identity.WATCHER)


# --- pods --------------------------------------------------------------------------------


def create_pod(cluster: Cluster, manifest: Raw) -> Raw:
    """Post a pod; raises `AlreadyExists` when the name is taken."""
    path = _pods(manifest["metadata"]["namespace"])
    return _ask(cluster, Request(method="POST", path=path, body=manifest))


def get_pod(cluster: Cluster, *, namespace: str, name: str) -> Raw:
    """Return a pod by name."""
    return _ask(cluster, Request(method="GET", path=_pod(namespace, name)))


def delete_pod(cluster: Cluster, *, namespace: str, name: str, uid: str) -> Raw:
    """Ask for the end of this very pod, with its own grace period."""
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
    return _ask(cluster, Request(method="DELETE", path=_pod(namespace, name), body=body))


def remove_finalizer(
    cluster: Cluster, *, namespace: str, name: str, uid: str, finalizer: str
) -> None:
    """Take one finalizer off this very pod, leaving others where they are."""
    pod = get_pod(cluster, namespace=namespace, name=name)["metadata"]
    if pod["uid"] != uid:
        raise PreconditionFailed
    left = [other for other in pod.get("finalizers") or () if other != finalizer]
    # With the version, nobody's change is overwritten; with the UID, no stranger is touched.
    metadata = {"uid": uid, "resourceVersion": pod["resourceVersion"], "finalizers": left or None}
    patch = Request(
        method="PATCH",
        path=_pod(namespace, name),
        body={"metadata": metadata},
        content_type=requests.MERGE_PATCH,
    )
    _ask(cluster, patch)


def list_pods(cluster: Cluster, *, selector: str, accept: str = requests.JSON) -> "Listing":
    """Return all pods of a selection, page by page."""
    return Listing(cluster, "/api/v1/pods", selector=selector, accept=accept)


def read_log(cluster: Cluster, *, namespace: str, name: str, tail: int) -> str:
    """Return the last lines a pod printed."""
    query = (("container", names.CONTAINER), ("tailLines", str(tail)), ("limitBytes", "1000000"))
    path = f"{_pod(namespace, name)}/log"
    text = requests.ask_text(
        connection_to(cluster, Identity.ACCESS),
        Request(method="GET", path=path, query=query, accept="*/*"),
    )
    return text.decode(errors="replace")


def events_of(cluster: Cluster, *, namespace: str, uid: str) -> list[Raw]:
    """Return the events about one object."""
    query = (("fieldSelector", f"involvedObject.uid={uid}"), ("limit", str(PAGE)))
    path = f"/api/v1/namespaces/{quote(namespace)}/events"
    answer = _ask(cluster, Request(method="GET", path=path, query=query), Identity.WATCHER)
    return list(answer.get("items") or [])


# --- everything else ---------------------------------------------------------------------


def apply(cluster: Cluster, manifest: Raw) -> Raw:
    """Apply an object server-side, in our name."""
    query = (("fieldManager", names.FIELD_MANAGER), ("force", "true"))
    return _ask(
        cluster,
        Request(
            method="PATCH",
            path=_object_path(manifest),
            query=query,
            body=manifest,
            content_type=requests.APPLY_PATCH,
        ),
    )


def get_namespace(cluster: Cluster, *, name: str) -> Raw:
    """Return a namespace by name."""
    return _ask(cluster, Request(method="GET", path=f"/api/v1/namespaces/{quote(name)}"))


def list_nodes(cluster: Cluster) -> list[Raw]:
    """Return all nodes."""
    return list(Listing(cluster, "/api/v1/nodes"))


def list_node_leases(cluster: Cluster) -> list[Raw]:
    """Return the leases by which kubelets show that they live."""
    return list(Listing(cluster, NODE_LEASES))


class Listing(Iterable[Raw]):
    """A list read in pages; `resource_version` is known once it has been read to its end.

    Raises `Expired` when the server forgets the list between two pages: begin again.
    """

    def __init__(
        self, cluster: Cluster, path: str, *, selector: str = "", accept: str = requests.JSON
    ) -> None:
        self.resource_version = ""
        self._cluster, self._path = cluster, path
        self._selector, self._accept = selector, accept

    def __iter__(self) -> Iterator[Raw]:
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[list[Raw]]:
        """Yield the pages in order."""
        token = ""
        while True:
            answer = _ask(self._cluster, self._request(token), Identity.WATCHER)
            metadata = answer.get("metadata") or {}
            if not metadata.get("resourceVersion"):
                # From something in between; taken for an empty list, it would end every run.
                raise ClusterUnreachable("The answer is no list.")
            yield list(answer.get("items") or [])
            token = metadata.get("continue") or ""
            if not token:
                self.resource_version = str(metadata.get("resourceVersion") or "")
                return

    def _request(self, token: str) -> Request:
        query = [("limit", str(PAGE))]
        if self._selector:
            query.append(("labelSelector", self._selector))
        if token:
            query.append(("continue", token))
        return Request(method="GET", path=self._path, query=tuple(query), accept=self._accept)


def _ask(cluster: Cluster, request: Request, identity: Identity = Identity.WORKER) -> Raw:
    try:
        return requests.ask(connection_to(cluster, identity), request)
    except Unauthenticated:
        # Whoever is not let in has done nothing, so the same may be asked again, once.
        return requests.ask(renew_connection(cluster, identity), request)


def _pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}/pods"


def _pod(namespace: str, name: str) -> str:
    return f"{_pods(namespace)}/{quote(name)}"


_PLURALS: Final = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
    "NetworkPolicy": "networkpolicies",
    "ResourceClaimTemplate": "resourceclaimtemplates",
    "RoleBinding": "rolebindings",
}


def _object_path(manifest: Raw) -> str:
    version, metadata = manifest["apiVersion"], manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{quote(metadata['namespace'])}" if "namespace" in metadata else ""
    return f"{root}{inside}/{_PLURALS[manifest['kind']]}/{quote(metadata['name'])}"
