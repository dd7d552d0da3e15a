"""Read what exporters print, through the API server: which pods there are, and their text."""

from typing import Any
from urllib.parse import quote

from provisioning.cluster import requests
from provisioning.cluster.connections import connection_to
from provisioning.cluster.requests import Request
from provisioning.models import Cluster
from provisioning.states import Identity

Raw = dict[str, Any]

READ_SECONDS = 5.0


def list_exporters(cluster: Cluster, *, namespace: str, selector: str) -> list[Raw]:
    """Return the exporter's pods: one on each node it serves."""
    path = f"/api/v1/namespaces/{quote(namespace)}/pods"
    query = (("labelSelector", selector), ("limit", "500"))
    asked = Request(method="GET", path=path, query=query, read_seconds=READ_SECONDS)
    answer = requests.ask(connection_to(cluster, Identity.WATCHER), asked)
    return list(answer.get("items") or [])


def read_metrics(cluster: Cluster, *, namespace: str, pod: str, port: str) -> str:
    """Return what one exporter prints now."""
    path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}:{quote(port)}/proxy/metrics"
    asked = Request(method="GET", path=path, accept="text/plain", read_seconds=READ_SECONDS)
    text = requests.ask_text(connection_to(cluster, Identity.WATCHER), asked)
    return text.decode(errors="replace")
