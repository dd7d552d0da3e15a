"""Let every pod of a cluster go, for taking the product off it.

In normal life `reconciling` releases one pod at a time; this is for the day on which
nobody will.  What is let go before its seconds are settled ends in the ledger as last
proved, and the words of whoever decided that stay with the cluster.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from provisioning import alarms, installation, podstatus
from provisioning.cluster import asking
from provisioning.cluster.errors import NotFound, PreconditionFailed
from provisioning.models import Cluster, ObservedPod
from provisioning.specs import Observation
from provisioning.states import Settlement

FORCED: Final = "finalizers_forced"


@dataclass(frozen=True, kw_only=True)
class Holding:
    """The pods of a cluster that carry our finalizer, by whether their seconds are settled."""

    settled: list[Observation] = field(default_factory=list)
    unsettled: list[Observation] = field(default_factory=list)


def find_held(*, cluster: Cluster) -> Holding:
    """Ask the cluster which pods it holds for us; nothing is changed."""
    found = Holding()
    for pod in _held(cluster):
        (found.settled if _is_settled(cluster, pod) else found.unsettled).append(pod)
    return found


def release_settled(*, cluster: Cluster, holding: Holding) -> list[str]:
    """Take our finalizer off every pod whose seconds are in the ledger; returns their names."""
    return [_release(cluster, pod) for pod in holding.settled]


def release_unsettled(
    *, cluster: Cluster, holding: Holding, by: str, because: str, at: datetime
) -> list[str]:
    """Take it off the others too, by a person's word, which stays with the cluster."""
    if not holding.unsettled:
        return []
    names = [pod.name for pod in holding.unsettled]
    # Written first: a list cut short by the cluster still says what was decided.
    alarm = alarms.raise_alarm(cluster=cluster, code=FORCED, message=", ".join(names), at=at)
    for pod in holding.unsettled:
        _release(cluster, pod)
    alarms.close_alarm(alarm=alarm, by=by, reason=because, at=at)
    return names


def _held(cluster: Cluster) -> Iterator[Observation]:
    marks = installation.current()
    for raw in asking.list_pods(cluster, selector=marks.selector):
        pod = podstatus.read_pod(raw, marks=marks)
        if pod.has_finalizer:
            yield pod


def _is_settled(cluster: Cluster, pod: Observation) -> bool:
    seen = ObservedPod.objects.filter(cluster=cluster, uid=pod.uid).first()
    if seen is None:
        return False
    # The pod itself is asked as well: a watcher that is away has not seen its run.
    never_ran = seen.settlement == Settlement.NEVER_RAN and pod.started_at is None
    is_idle = pod.is_over or not pod.node_name
    is_settled = seen.settlement in (Settlement.CLOSED, Settlement.LOST)
    return is_settled or (never_ran and is_idle)


def _release(cluster: Cluster, pod: Observation) -> str:
    # Gone in the meantime is as good.
    with suppress(NotFound, PreconditionFailed):
        asking.remove_finalizer(
            cluster,
            namespace=pod.namespace,
            name=pod.name,
            uid=str(pod.uid),
            finalizer=installation.current().finalizer,
        )
    return pod.name
