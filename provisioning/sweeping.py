"""What is done every few seconds whether or not anybody hints at it.

Whether the database is as new as its clusters, leases that have ended, lost clusters, pods nobody
knows, every instance and every volume that is due, routes to open ports, and secrets that have done
their service.
"""

import logging
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError

from provisioning import (
    attaching,
    claiming,
    confiding,
    counting,
    expiring,
    lingering,
    losing,
    maintaining,
    marking,
    orphaned,
    reconciling,
    routing,
    stopping,
)
from provisioning.reconciling import Clock

logger = logging.getLogger(__name__)


def sweep(*, clock: Clock) -> None:
    """Sweep once; a stage that fails is logged and keeps none of the others from their turn."""
    for stage in _STAGES:
        try:
            stage(clock)
        except (DatabaseError, SoftTimeLimitExceeded):
            raise
        except Exception:
            counting.count("sweep", f"failed in {stage.__name__}")
            logger.exception("%s failed", stage.__name__)
    counting.count("sweep", "done")
    counting.add_up(at=clock())


def _compare_marks(clock: Clock) -> None:
    marking.check_all(clock=clock)


def _stop_expired(clock: Clock) -> None:
    if stopped := stopping.stop_expired(at=clock()):
        logger.info("%d leases have ended", stopped)


def _keep_windows(clock: Clock) -> None:
    maintaining.keep_windows(at=clock())


def _follow_lost(clock: Clock) -> None:
    losing.follow_lost(at=clock())


def _drain_instances(clock: Clock) -> None:
    attaching.detach_gone(at=clock())
    reconciling.drain_due(clock=clock)


def _drain_volumes(clock: Clock) -> None:
    expiring.expire_volumes(at=clock())
    claiming.drain_due(clock=clock)


def _follow_ports(clock: Clock) -> None:
    routing.follow_ports(at=clock())


def _clear_away(clock: Clock) -> None:
    confiding.clear_away(at=clock())


def _sweep_orphans(clock: Clock) -> None:
    orphaned.sweep_orphans(at=clock())


def _follow_namespaces(clock: Clock) -> None:
    lingering.follow_namespaces(at=clock())


# First of all: a database older than its clusters must not act on them.
_STAGES: Final = (
    _compare_marks,
    _stop_expired,
    _keep_windows,
    _follow_lost,
    _drain_instances,
    _drain_volumes,
    _follow_ports,
    _clear_away,
    _sweep_orphans,
    _follow_namespaces,
)
