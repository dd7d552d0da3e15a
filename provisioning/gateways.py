"""Name the gateway at a cluster's edge, or take its name back.

An operator's wish; `routing` makes the routes and takes them away.
"""

import re
from datetime import datetime
from typing import Final

from django.db import transaction

from provisioning import deferring, permissions
from provisioning.cluster import reviewing, routing
from provisioning.errors import GatewayInUse, IllegalGateway, NoGatewayApi, RoutesForbidden
from provisioning.models import Cluster, ClusterGateway
from provisioning.routes import Edge

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def set_gateway(*, cluster: Cluster, edge: Edge, by: str, at: datetime) -> ClusterGateway:
    """Have ports of this cluster's instances routed by a gateway; the cluster is asked first.

    Raises `IllegalGateway`, `NoGatewayApi`, `RoutesForbidden`, `GatewayInUse`, or what the
    cluster refuses with.
    """
    require_legal(edge)
    if not routing.knows_routes(cluster):
        raise NoGatewayApi
    _require_rights(cluster, edge.namespace)
    with transaction.atomic():
        before = ClusterGateway.objects.select_for_update().filter(cluster=cluster).first()
        if before is not None and before.namespace != edge.namespace:
            # Routes are looked for where the last one had them: one place at a time.
            raise GatewayInUse
        gateway, _ = ClusterGateway.objects.update_or_create(
            cluster=cluster,
            defaults={
                "gateway_namespace": edge.gateway_namespace,
                "gateway_name": edge.gateway_name,
                "namespace": edge.namespace,
                "service_name": edge.service_name,
                "service_port": edge.service_port,
                "set_at": at,
                "set_by": by,
                "removed_at": None,
                "applied_hash": "",
                "message": "",
            },
        )
        deferring.defer_drain()
    return gateway


def remove_gateway(*, cluster: Cluster, at: datetime) -> None:
    """Have no ports routed any more; what is not set is as good as removed."""
    ClusterGateway.objects.filter(cluster=cluster, removed_at=None).update(removed_at=at)
    deferring.defer_drain()


def gateway_of(cluster: Cluster) -> ClusterGateway | None:
    """Return the gateway that is set, or the one whose routes are still being removed."""
    return ClusterGateway.objects.filter(cluster_id=cluster.pk).first()


def require_legal(edge: Edge) -> None:
    """Raise `IllegalGateway` for names that Kubernetes has nothing of."""
    labels = (edge.gateway_namespace, edge.namespace, edge.service_name)
    is_named = all(_LABEL.fullmatch(one) for one in labels) and _NAME.fullmatch(edge.gateway_name)
    if not is_named or not 1 <= edge.service_port <= 65535:
        raise IllegalGateway


def _require_rights(cluster: Cluster, namespace: str) -> None:
    lacking = [
        str(one)
        for one in permissions.wanted_for_routes()
        if not reviewing.may(cluster, one, namespace=namespace)
    ]
    if lacking:
        raise RoutesForbidden(f"It may not: {', '.join(lacking)}.")
