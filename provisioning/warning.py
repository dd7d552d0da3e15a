"""Keep what is odd about a cluster's nodes: opened when seen, cleared when no longer so."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db.models import QuerySet

from provisioning.models import Cluster, Node, NodeWarning
from provisioning.offering import Oddity


def record_oddities(
    *, cluster: Cluster, of_nodes: Mapping[str, Iterable[Oddity]], at: datetime
) -> None:
    """Make the open warnings say what is odd now."""
    now = {
        (node, odd.code, odd.subject): odd.message
        for node, oddities in of_nodes.items()
        for odd in oddities
    }
    is_open = open_warnings().filter(cluster=cluster)
    known = {(row.node_name, row.code, row.subject): row for row in is_open}
    for key, row in known.items():
        if key not in now:
            row.cleared_at = at
            row.save(update_fields=["cleared_at"])
        elif row.message != now[key]:
            row.message, row.seen_at = now[key], at
            row.save(update_fields=["message", "seen_at"])
    NodeWarning.objects.bulk_create(
        NodeWarning(
            cluster=cluster,
            node_name=node,
            code=code,
            subject=subject,
            message=now[node, code, subject],
            first_seen_at=at,
            seen_at=at,
        )
        for node, code, subject in sorted(now.keys() - known.keys())
    )


def open_warnings(*, node: Node | None = None) -> QuerySet[NodeWarning]:
    """Return what is odd now, about one node or anywhere."""
    rows = NodeWarning.objects.filter(cleared_at__isnull=True).select_related("cluster")
    return rows if node is None else rows.filter(cluster=node.cluster_id, node_name=node.name)
