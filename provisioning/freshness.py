"""How old what we know of a cluster is, wherever something of it is shown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from provisioning.models import Attempt, Cluster, Instance
from provisioning.states import AttemptState

STALE_SECONDS: Final = 90.0
"""Longer than a watch may be silent: beyond it, what is shown may have changed."""


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """When a cluster was last heard from, as an age; None before the first time."""

    cluster_name: str
    seconds: float | None

    @property
    def is_stale(self) -> bool:
        """Whether it is too old to be relied on."""
        return is_stale(self.seconds)


def is_stale(seconds: float | None) -> bool:
    """Say whether an age is too old to be relied on."""
    return seconds is None or seconds > STALE_SECONDS


def age_of(cluster: Cluster, *, at: datetime) -> float | None:
    """Return for how many seconds nothing has been heard from the cluster."""
    heard = cluster.last_event_at
    return None if heard is None else max(0.0, (at - heard).total_seconds())


def of_cluster(cluster: Cluster, *, at: datetime) -> Freshness:
    """Return how fresh what we know of a cluster is."""
    return Freshness(cluster_name=cluster.name, seconds=age_of(cluster, at=at))


def of_instance(instance: Instance, *, at: datetime) -> Freshness | None:
    """Return how fresh what we know of an instance is; None while it is on no cluster."""
    live = Attempt.objects.filter(instance=instance).exclude(state=AttemptState.GONE)
    attempt = live.select_related("cluster").order_by("-no").first()
    return of_cluster(attempt.cluster, at=at) if attempt else None
