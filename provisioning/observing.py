"""Take in what pods say: observations in, the transactions in which they are written out.

Called by the watcher alone.  What belongs to one observation is committed together, and
what is waiting at the same time may be: the usual way trusts that nothing contradicts the
ledger and writes straight on.  What does is rolled back whole and written again with care,
each observation by itself, so that it holds up no other.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from billing.metering import Contradiction
from provisioning import sighting
from provisioning.models import Cluster, ObservedPod
from provisioning.sighting import Round
from provisioning.specs import Observation
from provisioning.surroundings import Surroundings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One pod at one version; `is_last` when it is gone with it."""

    observation: Observation
    is_last: bool = False

    @property
    def is_end(self) -> bool:
        """Whether its containers hold nothing any more."""
        return self.is_last or self.observation.is_over


def observe_pod(
    *,
    cluster: Cluster,
    observation: Observation,
    at: datetime,
    surroundings: Surroundings | None = None,
) -> bool:
    """Write one pod at one version; returns whether it says anything new."""
    return observe_sight(
        Sight(observation=observation), at=at, surroundings=surroundings or Surroundings(cluster)
    )


def observe_sight(sight: Sight, *, at: datetime, surroundings: Surroundings) -> bool:
    """Write one sight, trusting, and if that cannot be, with care."""
    try:
        return observe_together([sight], at=at, surroundings=surroundings)
    except (DatabaseError, Contradiction) as error:
        if not connection.is_usable():
            raise
        logger.info("%s: written with care: %s", sight.observation.name, error)
    return observe_together([sight], at=at, surroundings=surroundings, is_trusting=False)


def observe_together(
    sights: Sequence[Sight],
    *,
    at: datetime,
    surroundings: Surroundings,
    is_trusting: bool = True,
) -> bool:
    """Write all or, raising, none; returns whether any says anything new.

    Of several versions of one pod the last counts, as after a list: what happened in between
    the cluster itself does not tell to whoever looks later.
    """
    of = _begin(sights, at=at, surroundings=surroundings, is_trusting=is_trusting)
    sights = [
        sight
        for sight in sights
        if sight.is_last or not sighting.says_nothing(of, sight.observation)
    ]
    if len(sights) == 1 and not sights[0].is_last:
        observation = sights[0].observation
        if sighting.says_nothing_new(of, observation):
            _note_version(of, observation)
            return False
    return bool(sights) and _write(of, sights)


def miss_pod(*, pod: ObservedPod, at: datetime, surroundings: Surroundings | None = None) -> None:
    """Write that a pod is there no more, and end what it still had open."""
    of = Round(
        surroundings=surroundings or Surroundings(pod.cluster),
        at=at,
        is_trusting=False,
        pods={pod.uid: pod},
    )
    with transaction.atomic():
        sighting.lose_pod(of, pod)
        sighting.finish(of)


def _begin(
    sights: Sequence[Sight], *, at: datetime, surroundings: Surroundings, is_trusting: bool
) -> Round:
    uids = {sight.observation.uid for sight in sights}
    known = ObservedPod.objects.filter(cluster=surroundings.cluster, uid__in=uids)
    return Round(
        surroundings=surroundings,
        at=at,
        is_trusting=is_trusting,
        pods={pod.uid: pod for pod in known},
    )


@transaction.atomic
def _write(of: Round, sights: Sequence[Sight]) -> bool:
    of_pods: dict[UUID, list[Sight]] = {}
    for sight in sights:
        of_pods.setdefault(sight.observation.uid, []).append(sight)
    of.look_up_attempts({seen[-1].observation.name for seen in of_pods.values()})
    # Ends before starts: who comes next on a device finds it free.
    ordered = sorted(of_pods.values(), key=lambda seen: not seen[-1].is_end)
    is_any_new = [_take(of, seen) for seen in ordered]
    sighting.finish(of)
    return any(is_any_new)


def _take(of: Round, sights: Sequence[Sight]) -> bool:
    """Take in what was seen of one pod."""
    observations = [sight.observation for sight in sights]
    news = [one for one in observations if not sighting.says_nothing(of, one)]
    is_new = [sighting.see_pod(of, run) for run in sighting.by_run(of, news) if run]
    if sights[-1].is_last:
        sighting.lose_pod(of, of.pods[observations[-1].uid])
        return True
    return any(is_new)


def _note_version(of: Round, observation: Observation) -> None:
    ObservedPod.objects.filter(pk=of.pods[observation.uid].pk).update(
        resource_version=observation.resource_version, seen_at=of.at
    )
