"""Say which nodes an instance's next pod should stay away from.

A node whose device plugin starts late refuses pods it was given (`UnexpectedAdmissionError`);
after the third refusal the next pod goes elsewhere.  So does the successor of a pod that was
on a node declared lost, or that somebody wished elsewhere.  Where there is no elsewhere,
nothing is avoided.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from provisioning import stock
from provisioning.models import Instance, ObservedPod, Pool, Transition
from provisioning.offers import NodeName
from provisioning.states import State

LATELY: Final = timedelta(hours=1)
MOST_REFUSALS: Final = 3
REFUSED: Final = "device_not_admitted"
LEFT: Final = ("node_lost", "moved")


def nodes_to_avoid(
    *, instance: Instance, pools: Iterable[Pool], at: datetime
) -> frozenset[NodeName]:
    """Return the nodes to stay away from, if the pools have others that could do."""
    if instance.attempt_no == 0:
        return frozenset()
    avoided = _troubled(instance, since=at - LATELY)
    return avoided if avoided and _has_others(instance, list(pools), avoided) else frozenset()


def _troubled(instance: Instance, *, since: datetime) -> frozenset[NodeName]:
    ends = dict(
        Transition.objects.filter(
            instance=instance, to_state=State.RECOVERING, at__gt=since, reason__in=(REFUSED, *LEFT)
        ).values_list("attempt_no", "reason")
    )
    if not ends:
        return frozenset()
    seen = ObservedPod.objects.filter(instance_id=instance.pk, attempt_no__in=ends)
    where = {
        (no or 0, (cluster, node))
        for no, cluster, node in seen.exclude(node_name="").values_list(
            "attempt_no", "cluster", "node_name"
        )
    }
    refusals = Counter(node for no, node in where if ends[no] == REFUSED)
    left = {node for no, node in where if ends[no] in LEFT}
    return frozenset(left | {node for node, count in refusals.items() if count >= MOST_REFUSALS})


def _has_others(instance: Instance, pools: list[Pool], avoided: frozenset[NodeName]) -> bool:
    able = stock.present_capacity().filter(pool__in=pools, capacity__gte=instance.device_count)
    return any(node not in avoided for node in able.values_list("pool__cluster", "node__name"))
