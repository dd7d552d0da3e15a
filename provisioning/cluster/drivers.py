"""What we ask of a cluster about devices its drivers publish and its pods have claimed.

A cluster without the API, or one whose operator has not let us read it, has none to offer.
"""

import logging
from typing import Any
from urllib.parse import quote

from provisioning.cluster import asking, requests
from provisioning.cluster.connections import connection_to
from provisioning.cluster.errors import NotFound, PermissionDenied
from provisioning.cluster.requests import Request
from provisioning.models import Cluster
from provisioning.states import Identity

logger = logging.getLogger(__name__)

Raw = dict[str, Any]

ROOT = "/apis/resource.k8s.io/v1"


def list_device_classes(cluster: Cluster) -> list[Raw]:
    """Return the classes devices are asked for by."""
    return _list(cluster, f"{ROOT}/deviceclasses")


def list_slices(cluster: Cluster) -> list[Raw]:
    """Return what the drivers publish."""
    return _list(cluster, f"{ROOT}/resourceslices")


def list_claims(cluster: Cluster, *, selector: str) -> list[Raw]:
    """Return the claims of a selection, in all namespaces."""
    return _list(cluster, f"{ROOT}/resourceclaims", selector=selector)


def get_claim(cluster: Cluster, *, namespace: str, name: str) -> Raw:
    """Return a claim by name."""
    path = f"{ROOT}/namespaces/{quote(namespace)}/resourceclaims/{quote(name)}"
    return requests.ask(connection_to(cluster, Identity.WATCHER), Request(method="GET", path=path))


def _list(cluster: Cluster, path: str, *, selector: str = "") -> list[Raw]:
    try:
        return list(asking.Listing(cluster, path, selector=selector))
    except NotFound:
        return []
    except PermissionDenied as error:
        logger.warning("%s: %s cannot be read: %s", cluster, path, error)
        return []
