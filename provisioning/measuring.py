"""What an operator watches, read from the rows: every loop's age and what it has left undone.

Whichever process answers, the numbers are the farm's.  `portal.metrics` prints them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Min

from billing import queries as ledger
from billing.models import QuarantinedFact, UsageInterval
from provisioning import alarms, counting, queries
from provisioning.models import Cluster, ClusterState, DeadLetter, Hold, Instance
from provisioning.states import State

# A witness is heard every half minute; three missed are worth a look.
UNPROVED_AFTER: Final = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One number with its name, and the labels that tell it from its neighbours."""

    name: str
    value: float
    labels: dict[str, str] = field(default_factory=dict)
    is_total: bool = False


HELP: Final = {
    "cluster_state_age_seconds": "Since a cluster was last heard of by its watcher.",
    "cluster_list_age_seconds": "Since the last complete list of a cluster began.",
    "cluster_held": "1 where nothing is done until somebody has settled a restore.",
    "cluster_breaker_open": "1 where a cluster is left alone because it did not answer.",
    "cluster_alarms": "Open alarms of a cluster.",
    "instances": "Instances by state.",
    "due_rows": "Instances that wait for a pass.",
    "due_oldest_seconds": "How long the longest of them has waited.",
    "dead_letters": "Instances nobody moves until a person looks.",
    "open_intervals": "Container runs that are metered now.",
    "open_intervals_unproved": "Those of them no witness has vouched for lately.",
    "quarantined_facts": "Facts the ledger did not take and nobody has answered.",
    "devices": "Devices of a family on a cluster: total, healthy, free.",
    "loop_results": "What the loops came to, so far.",
    "loop_age_seconds": "Since a loop last came to this result.",
}


def read_all(*, at: datetime) -> Iterator[Reading]:
    """Yield every reading."""
    yield from _clusters(at)
    yield from _instances(at)
    yield from _ledger(at)
    yield from _devices(at)
    yield from _loops(at)


def oldest_state_age(*, at: datetime) -> timedelta | None:
    """Say since when the cluster heard of longest ago has been silent; None without a cluster."""
    ages = [at - (c.last_event_at or c.added_at) for c in _followed()]
    return max(ages, default=None)


def _followed() -> list[Cluster]:
    # That a lost one is silent is known.
    return list(Cluster.objects.exclude(state__in=(ClusterState.LOST, ClusterState.REMOVED)))


def _clusters(at: datetime) -> Iterator[Reading]:
    held = set(Hold.objects.filter(released_at=None).values_list("cluster", flat=True))
    for cluster in _followed():
        labels = {"cluster": cluster.name}
        for name, since in (
            ("cluster_state_age_seconds", cluster.last_event_at or cluster.added_at),
            ("cluster_list_age_seconds", cluster.last_list_at or cluster.added_at),
        ):
            yield Reading(name=name, value=(at - since).total_seconds(), labels=labels)
        is_open = cluster.breaker_until is not None and cluster.breaker_until > at
        yield Reading(name="cluster_breaker_open", value=is_open, labels=labels)
        yield Reading(name="cluster_held", value=cluster.pk in held, labels=labels)
    rows = alarms.open_alarms().order_by().values("cluster__name", "code").annotate(n=Count("pk"))
    for row in rows:
        labels = {"cluster": row["cluster__name"], "code": row["code"]}
        yield Reading(name="cluster_alarms", value=row["n"], labels=labels)


def _instances(at: datetime) -> Iterator[Reading]:
    rows = Instance.objects.order_by().values_list("state").annotate(n=Count("pk"))
    found = dict(rows)
    for state in State:
        yield Reading(name="instances", value=found.get(state, 0), labels={"state": state})
    due = Instance.objects.filter(next_reconcile_at__lte=at)
    waiting = due.aggregate(n=Count("pk"), since=Min("next_reconcile_at"))
    yield Reading(name="due_rows", value=waiting["n"])
    oldest = (at - waiting["since"]).total_seconds() if waiting["since"] else 0
    yield Reading(name="due_oldest_seconds", value=oldest)
    letters = DeadLetter.objects.filter(closed_at=None).order_by().values_list("code")
    for code, n in letters.annotate(n=Count("pk")):
        yield Reading(name="dead_letters", value=n, labels={"code": code})


def _ledger(at: datetime) -> Iterator[Reading]:
    running = UsageInterval.objects.filter(ended_at=None).count()
    unproved = ledger.open_intervals_without_proof(proved_before=at - UNPROVED_AFTER)
    yield Reading(name="open_intervals", value=running)
    yield Reading(name="open_intervals_unproved", value=unproved.count())
    unanswered = QuarantinedFact.objects.filter(resolved_at=None).count()
    yield Reading(name="quarantined_facts", value=unanswered)


def _devices(at: datetime) -> Iterator[Reading]:
    for pool in queries.capacity(at=at):
        labels = {"cluster": pool.cluster_name, "resource": pool.resource_name}
        labels["family"] = pool.family_slug
        for kind in ("total", "healthy", "free"):
            value = getattr(pool, kind)
            yield Reading(name="devices", value=value, labels={**labels, "kind": kind})


def _loops(at: datetime) -> Iterator[Reading]:
    for row in counting.counts():
        labels = {"loop": row.loop, "result": row.result}
        yield Reading(name="loop_results", value=row.count, labels=labels, is_total=True)
        age = (at - row.last_at).total_seconds()
        yield Reading(name="loop_age_seconds", value=age, labels=labels)
