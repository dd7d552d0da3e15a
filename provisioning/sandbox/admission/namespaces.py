"""Nothing is created in a namespace that is missing or on its way out."""

from provisioning.sandbox import errors, kinds
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import is_deleting


def refuse_missing(cluster: Cluster, *, kind: Kind, namespace: str, name: str) -> None:
    """Refuse an object whose namespace is not there, or is going."""
    found = cluster.store.get(kinds.NAMESPACES, "", namespace)
    if found is None:
        raise errors.not_found(kinds.NAMESPACES, namespace)
    if is_deleting(found.object):
        why = (
            f"unable to create new content in namespace {namespace} because it is being terminated"
        )
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        raise errors.forbidden(kind, name, why, causes=[cause])
