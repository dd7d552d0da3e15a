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
    """Write several in their order or, raising, none; returns whether any says anything new."""
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
        sighting.tell_instances(of)


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
    if len(sights) > 1:
        of.look_up_attempts({sight.observation.name for sight in sights})
    is_any_new = False
    for sight in sights:
        # Of two versions of one pod the later may say no more than the earlier.
        if not sighting.says_nothing(of, sight.observation):
            is_any_new |= sighting.see_pod(of, sight.observation)
        if sight.is_last:
            sighting.lose_pod(of, of.pods[sight.observation.uid])
            is_any_new = True
    sighting.tell_instances(of)
    return is_any_new


def _note_version(of: Round, observation: Observation) -> None:
    ObservedPod.objects.filter(pk=of.pods[observation.uid].pk).update(
        resource_version=observation.resource_version, seen_at=of.at
    )
