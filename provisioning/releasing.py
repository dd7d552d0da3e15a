"""Let every pod of a cluster go, for taking the product off it.

In normal life `reconciling` releases one pod at a time; this is for the day on which
nobody will.
"""

from dataclasses import dataclass

from provisioning import installation, podstatus
from provisioning.cluster import asking
from provisioning.cluster.errors import NotFound, PreconditionFailed
from provisioning.models import Cluster, ObservedPod
from provisioning.specs import Observation
from provisioning.states import Settlement


@dataclass(frozen=True)
class Released:
    """What was let go, and what was kept because its seconds are not in the ledger."""

    names: list[str]
    kept: list[str]


def release_finalizers(*, cluster: Cluster, unsettled: bool = False) -> Released:
    """Take our finalizer off every pod whose seconds are settled; off all, when told so."""
    marks = installation.current()
    released = Released([], [])
    for raw in asking.list_pods(cluster, selector=marks.selector):
        pod = podstatus.read_pod(raw, marks=marks)
        if not pod.has_finalizer:
            continue
        if not (unsettled or _is_settled(cluster, pod)):
            released.kept.append(pod.name)
            continue
        _release(cluster, pod, marks.finalizer)
        released.names.append(pod.name)
    return released


def _is_settled(cluster: Cluster, pod: Observation) -> bool:
    seen = ObservedPod.objects.filter(cluster=cluster, uid=pod.uid).first()
    if seen is None:
        return False
    # The pod itself is asked as well: a watcher that is away has not seen its run.
    never_ran = seen.settlement == Settlement.NEVER_RAN and pod.started_at is None
    return seen.settlement == Settlement.CLOSED or (
        never_ran and (pod.is_over or not pod.node_name)
    )


def _release(cluster: Cluster, pod: Observation, finalizer: str) -> None:
    try:
        asking.remove_finalizer(
            cluster, namespace=pod.namespace, name=pod.name, uid=str(pod.uid), finalizer=finalizer
        )
    except (NotFound, PreconditionFailed):
        return
