"""Conclude from a node's Ready condition and its lease when nobody could reach it.

A silent node's outage begins where its lease ends, for nothing later was heard of it; one
that says itself that it is not ready begins when it said so.  It ends when the kubelet
calls itself ready again.  All three instants are of the node's own clock, as the times of
its containers are.
"""

from datetime import datetime

from provisioning import outages
from provisioning.models import Node, Outage, OutageCause


def follow_node(*, node: Node, is_silent: bool, at: datetime) -> None:
    """Begin or end the node's outage, as it now is."""
    is_open = Outage.objects.filter(
        node=node, device=None, cause=OutageCause.NODE_UNREACHABLE, ended_at=None
    ).first()
    if not node.is_ready and node.gone_at is None and is_open is None:
        outages.begin_outage(
            node=node,
            cause=OutageCause.NODE_UNREACHABLE,
            told_at=_silent_since(node, is_silent),
            evidence={"told by": "lease" if is_silent and node.lease_renewed_at else "condition"},
            at=at,
        )
    elif is_open is not None and node.is_ready:
        outages.end_outage(outage=is_open, told_at=node.ready_changed_at, at=at)


def forget_node(*, node: Node, at: datetime) -> None:
    """End what cannot be used on a node that is gone: nobody will say that it can again."""
    for outage in Outage.objects.filter(node=node, ended_at=None).order_by("pk"):
        outages.end_outage(outage=outage, told_at=None, at=at)


def _silent_since(node: Node, is_silent: bool) -> datetime | None:
    if is_silent and node.lease_renewed_at is not None:
        return node.lease_renewed_at
    return node.ready_changed_at
