"""Keep the routes at clusters' edges as open ports of running instances would have them.

Level-triggered: what should be is read from the rows, what is from the cluster, and the
difference is carried out.  A cluster is asked only when the rows have changed, or when it
was last asked a while ago, in case somebody touched its routes.
"""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from provisioning import breaking, installation, marking, routes
from provisioning.cluster import routing as edges
from provisioning.errors import ClusterUnreachable, ProvisioningError
from provisioning.manifests import Manifest
from provisioning.models import Attempt, Cluster, ClusterGateway, ClusterState, InstancePort
from provisioning.states import AttemptState, Desired, State

logger = logging.getLogger(__name__)

LOOK_AGAIN: Final = timedelta(minutes=1)
# The sweep has other things to do; what is left is done the next time.
LONGEST_PASS: Final = 5.0

Wished = Mapping[str, Manifest]


def follow_ports(*, at: datetime) -> None:
    """Bring the routes of every gateway one step nearer to what they should be."""
    gateways = ClusterGateway.objects.exclude(cluster__state=ClusterState.REMOVED)
    for gateway in gateways.select_related("cluster"):
        wished = dict(_wished(gateway))
        if _is_due(gateway, wished, at) and _may_be_asked(gateway.cluster, at):
            _follow(gateway, wished, at)


def withdraw(*, instance_id: UUID, cluster: Cluster) -> None:
    """Take an instance's routes away before its pod goes; what fails is the sweep's to do again."""
    gateway = ClusterGateway.objects.filter(cluster_id=cluster.pk).first()
    if gateway is None:
        return
    # Whatever comes after the pod, the routes are to be looked at again.
    ClusterGateway.objects.filter(pk=gateway.pk).update(applied_hash="")
    opened = InstancePort.objects.filter(instance_id=instance_id, closed_at=None)
    try:
        for port in opened.values_list("port", flat=True):
            name = routes.name_of(instance_id=instance_id, port=port)
            edges.delete_route(cluster, namespace=gateway.namespace, name=name)
    except ProvisioningError as error:
        # A route leads to the portal, which lets nobody in any more: the pod need not wait.
        logger.warning("routes of instance %s stay for now: %s", instance_id, error)


def edge_of(gateway: ClusterGateway) -> routes.Edge:
    """Return what a route has to know of a gateway."""
    return routes.Edge(
        gateway_namespace=gateway.gateway_namespace,
        gateway_name=gateway.gateway_name,
        namespace=gateway.namespace,
        service_name=gateway.service_name,
        service_port=gateway.service_port,
    )


def _wished(gateway: ClusterGateway) -> Iterator[tuple[str, Manifest]]:
    if gateway.removed_at is not None:
        return
    marks, edge = installation.current(), edge_of(gateway)
    for port in _open_on(gateway.cluster):
        manifest = routes.route_for(
            edge,
            marks=marks,
            instance_id=port.instance_id,
            port=port.port,
            tenant_id=port.instance.tenant_id,
            domain=settings.APPS_DOMAIN,
        )
        yield manifest["metadata"]["name"], manifest


def _open_on(cluster: Cluster) -> list[InstancePort]:
    living = Attempt.objects.filter(cluster=cluster).exclude(state=AttemptState.GONE)
    running = InstancePort.objects.filter(
        closed_at=None,
        instance__state=State.RUNNING,
        instance__desired=Desired.RUNNING,
        instance__in=living.values("instance"),
    )
    found = running.select_related("instance").order_by("instance_id", "port")
    current = set(living.values_list("instance_id", "no"))
    # It may have left another attempt behind here, and run elsewhere by now.
    return [one for one in found if (one.instance_id, one.instance.attempt_no) in current]


def _is_due(gateway: ClusterGateway, wished: Wished, at: datetime) -> bool:
    if gateway.removed_at is not None or gateway.looked_at is None:
        return True
    return gateway.applied_hash != _hash_of(wished) or at - gateway.looked_at >= LOOK_AGAIN


def _may_be_asked(cluster: Cluster, at: datetime) -> bool:
    if marking.is_held(cluster) or marking.needs_check(cluster, at=at):
        return False
    return breaking.wait_for(cluster, at=at) is None


def _follow(gateway: ClusterGateway, wished: Wished, at: datetime) -> None:
    try:
        found = _found(gateway)
        is_done = _carry_out(gateway, wished, found)
        breaking.note_answer(gateway.cluster)
    except ClusterUnreachable:
        breaking.note_silence(gateway.cluster, at=at)
    except ProvisioningError as error:
        logger.warning("routes on %s: %s", gateway.cluster, error)
        _write(gateway, looked_at=at, applied_hash="", message=str(error)[:1000])
    else:
        if gateway.removed_at is not None and is_done:
            # Unless it was set anew while we cleared up behind the last one.
            removed = ClusterGateway.objects.filter(removed_at=gateway.removed_at)
            removed.filter(pk=gateway.pk).delete()
            return
        said = [words for one in found.values() for words in routes.refusals_of(one)]
        _write(
            gateway,
            looked_at=at,
            applied_hash=_hash_of(wished) if is_done else "",
            route_count=len(wished),
            message="; ".join(said)[:1000],
        )


def _found(gateway: ClusterGateway) -> dict[str, dict[str, Any]]:
    selector = installation.current().selector
    listed = edges.list_routes(gateway.cluster, namespace=gateway.namespace, selector=selector)
    return {one["metadata"]["name"]: one for one in listed}


def _carry_out(gateway: ClusterGateway, wished: Wished, found: Mapping[str, Any]) -> bool:
    """Remove first and make then; False when the time was up before the end."""
    until = time.monotonic() + LONGEST_PASS
    for name in sorted(found.keys() - wished.keys()):
        if time.monotonic() > until:
            return False
        edges.delete_route(gateway.cluster, namespace=gateway.namespace, name=name)
    for name, manifest in wished.items():
        if routes.is_as_wished(found.get(name), manifest):
            continue
        if time.monotonic() > until:
            return False
        edges.apply_route(gateway.cluster, manifest)
    return True


def _write(gateway: ClusterGateway, **columns: Any) -> None:
    # Not over what an operator has set or removed meanwhile.
    same = ClusterGateway.objects.filter(
        pk=gateway.pk, set_at=gateway.set_at, removed_at=gateway.removed_at
    )
    same.update(**columns)


def _hash_of(wished: Wished) -> str:
    return hashlib.sha256(json.dumps(wished, sort_keys=True).encode()).hexdigest()
