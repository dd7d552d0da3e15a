"""Say where a pool's exporter is asked, and propose where that might be.

Vendors label their exporters' pods alike, so one look at a cluster's pods finds most of
them.  Only proposed: somebody has to want it, and grant the right to read it in that
namespace.  `exporters` asks from then on.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Max, QuerySet

from provisioning import exporters
from provisioning.cluster import asking
from provisioning.errors import IllegalSpec
from provisioning.models import Cluster, NodeCapacity, Pool
from provisioning.vendors import habits_of

NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL: Final = r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_VALUE: Final = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
SELECTOR: Final = re.compile(rf"{_LABEL}={_VALUE}(,{_LABEL}={_VALUE})*")
LONGEST_SELECTOR: Final = 300
LAST_PORT: Final = 65535


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Pods that look like the exporter of a pool's devices."""

    namespace: str
    selector: str
    port: int
    pods: int


def point_pool(*, pool: Pool, namespace: str, selector: str, port: int) -> None:
    """Have the pool's exporter asked there from now on."""
    if not NAMESPACE.fullmatch(namespace):
        raise IllegalSpec("This is no name of a namespace.")
    if len(selector) > LONGEST_SELECTOR or not SELECTOR.fullmatch(selector):
        raise IllegalSpec("A selector is label=value, several with commas between.")
    if not 1 <= port <= LAST_PORT:
        raise IllegalSpec("A port is a number from 1 to 65535.")
    where = {"namespace": namespace, "selector": selector, "port": port}
    Pool.objects.filter(pk=pool.pk).update(exporter=where)
    pool.exporter = where


def unpoint_pool(*, pool: Pool, at: datetime) -> None:
    """Ask nobody any more; what the exporter last said of single devices counts no longer."""
    Pool.objects.filter(pk=pool.pk).update(exporter={})
    pool.exporter = {}
    exporters.forget_readings(pool=pool, at=at)


def find_exporters(*, pool: Pool) -> list[Proposal]:
    """Look for pods with the vendor's labels on the pool's nodes, most of them first."""
    rows = NodeCapacity.objects.filter(pool=pool, node__gone_at__isnull=True)
    nodes = set(rows.values_list("node__name", flat=True))
    found = []
    for known in habits_of(pool.family.vendor.slug).exporters:
        pods = asking.list_pods(pool.cluster, selector=known.selector)
        spaces = Counter(
            str(pod["metadata"]["namespace"])
            for pod in pods
            if (pod.get("spec") or {}).get("nodeName") in nodes
        )
        found += [
            Proposal(namespace=space, selector=known.selector, port=known.port, pods=count)
            for space, count in spaces.items()
        ]
    return sorted(found, key=lambda one: (-one.pods, one.namespace))


def pools_of(cluster: Cluster) -> QuerySet[Pool]:
    """Return a cluster's pools, each with when its exporter was last heard."""
    return pools_heard().filter(cluster=cluster)


def pools_heard() -> QuerySet[Pool]:
    """Return all pools, each with when its exporter was last heard of any device."""
    heard = Max("devices__metric_seen_at")
    return Pool.objects.annotate(heard_at=heard).select_related("cluster", "family__vendor")
