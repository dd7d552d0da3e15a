"""Follow one cluster for as long as the process lives.

LIST, then WATCH from there; every so often a light list for the witnesses, now and then a
full one in case the watch has lost something.  What cannot be followed for five minutes
ends the process: a watcher that gives up in place shows a frozen farm.
"""

import logging
import random
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection

from provisioning import (
    alarms,
    counting,
    gathering,
    installation,
    learning,
    observing,
    podstatus,
    relisting,
)
from provisioning.cluster import watching
from provisioning.cluster.errors import Expired, PermissionDenied
from provisioning.cluster.watching import Change, ChangeKind
from provisioning.errors import ClusterRefused, ClusterUnreachable, ProvisioningError
from provisioning.models import Cluster
from provisioning.names import Marks
from provisioning.observing import Sight
from provisioning.reconciling import Clock
from provisioning.surroundings import Surroundings

logger = logging.getLogger(__name__)

GIVE_UP_SECONDS: Final = 300.0
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
HEARTBEAT: Final = timedelta(seconds=5)
STEADY_SECONDS: Final = 30.0
# As many changes that wait are written in one transaction.
AT_ONCE: Final = 32
DENIED: Final = "watch_denied"


class WatchLost(Exception):
    """The cluster could not be listed for too long; somebody has to start us again."""


class Watcher:
    """Follows one cluster."""

    def __init__(self, cluster: Cluster, *, clock: Clock) -> None:
        self._cluster, self._clock = cluster, clock
        self._marks = installation.current()
        self._listed = time.monotonic()
        self._beaten_at: datetime | None = None

    def follow(self) -> None:
        """Follow until the cluster is lost; raises `WatchLost`."""
        failures = 0
        while True:
            try:
                self._round()
                failures = 0
            except Expired:
                # Once is ordinary; again and again, the server forgets faster than we list.
                failures = 0 if self._followed() else failures + 1
                logger.info("%s: the version is too old; listing again", self._cluster)
                _rest(failures)
            except (ClusterUnreachable, ClusterRefused) as error:
                if time.monotonic() - self._listed > GIVE_UP_SECONDS:
                    raise WatchLost(str(error)) from error
                failures += 1
                logger.warning("%s: %s", self._cluster, error)
                self._say_when_denied(error)
                _rest(failures)

    def _followed(self) -> bool:
        return time.monotonic() - self._listed > STEADY_SECONDS

    def _say_when_denied(self, error: ProvisioningError) -> None:
        if isinstance(error, PermissionDenied):
            alarms.raise_alarm(
                cluster=self._cluster, code=DENIED, message=error.detail, at=self._clock()
            )

    def _round(self) -> None:
        # Its credentials may have been replaced since.
        self._cluster.refresh_from_db()
        version = relisting.relist(self._cluster, clock=self._clock)
        self._listed = time.monotonic()
        alarms.settle_alarm(cluster=self._cluster, code=DENIED, at=self._clock())
        jitter = random.uniform(0.9, 1.1)  # noqa: S311 - spreads, hides nothing
        until = self._listed + settings.RELIST_INTERVAL * jitter
        while (left := until - time.monotonic()) > 0:
            version = self._watch(version, seconds=min(left, settings.WITNESS_INTERVAL))
            if until - time.monotonic() > 1:
                relisting.bear_witness(self._cluster, clock=self._clock)

    def _watch(self, version: str, *, seconds: float) -> str:
        """Take in changes for so long; returns the version to go on from."""
        changes = watching.watch_pods(
            self._cluster, selector=self._marks.selector, resource_version=version, seconds=seconds
        )
        surroundings = Surroundings(self._cluster)
        for waiting in gathering.gather(changes, at_most=AT_ONCE):
            self._take(waiting, surroundings)
            version = waiting[-1].resource_version or version
        counting.add_up(at=self._clock())
        return version

    def _take(self, changes: Sequence[Change], surroundings: Surroundings) -> None:
        at = self._clock()
        for change in changes:
            counting.count("watch", f"{self._cluster} {change.kind}".lower())
        news = [change for change in changes if change.kind is not ChangeKind.BOOKMARK]
        if news:
            take_changes(surroundings, news, marks=self._marks, at=at)
        if self._beaten_at is None or at - self._beaten_at > HEARTBEAT:
            self._beaten_at = at
            Cluster.objects.filter(pk=self._cluster.pk).update(last_event_at=at)


def take_changes(
    surroundings: Surroundings, changes: Iterable[Change], *, marks: Marks, at: datetime
) -> None:
    """Write changes; one that cannot be made out is logged, and the next list tries again."""
    sights = [_sight_of(surroundings.cluster, change, marks) for change in changes]
    take_sights(surroundings, [sight for sight in sights if sight], at=at)


def take_change(cluster: Cluster, change: Change, *, marks: Marks, at: datetime) -> None:
    """Write one change."""
    take_changes(Surroundings(cluster), [change], marks=marks, at=at)


def take_sights(surroundings: Surroundings, sights: Sequence[Sight], *, at: datetime) -> None:
    """Write what was seen together; where that cannot be, each by itself."""
    if len(sights) > 1:
        try:
            observing.observe_together(sights, at=at, surroundings=surroundings)
        except Exception as error:
            if not connection.is_usable():
                raise
            logger.info("%s: taken one by one: %s", surroundings.cluster, error)
        else:
            return
    for sight in sights:
        _take_one(surroundings, sight, at)


def _take_one(surroundings: Surroundings, sight: Sight, at: datetime) -> None:
    try:
        observing.observe_sight(sight, at=at, surroundings=surroundings)
    except Exception:
        if not connection.is_usable():
            # The lock on the cluster went with the session: somebody has to start us again.
            raise
        logger.exception("%s: a pod could not be taken in", surroundings.cluster)


def _sight_of(cluster: Cluster, change: Change, marks: Marks) -> Sight | None:
    try:
        observation = podstatus.read_pod(change.object, marks=marks)
        claims = learning.claims_of(cluster, change.object)
        observation = learning.with_devices(observation, pod=change.object, claims=claims)
    except Exception:
        if not connection.is_usable():
            raise
        logger.exception("%s: a pod could not be made out", cluster)
        return None
    return Sight(observation=observation, is_last=change.kind is ChangeKind.DELETED)


def _rest(failures: int) -> None:
    if failures:
        time.sleep(random.uniform(0, _pause(failures)))  # noqa: S311 - spreads, hides nothing


def _pause(failures: int) -> float:
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 10))
