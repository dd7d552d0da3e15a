"""What is done every few seconds whether or not anybody hints at it.

Whether the database is as new as its clusters, leases that have ended, pods nobody knows,
every instance and every volume that is due, routes to open ports, and secrets that have done
their service.
"""

import logging

from provisioning import (
    attaching,
    claiming,
    confiding,
    expiring,
    lingering,
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
    """Sweep once."""
    # First of all: a database older than its clusters must not act on them.
    marking.check_all(clock=clock)
    if stopped := stopping.stop_expired(at=clock()):
        logger.info("%d leases have ended", stopped)
    maintaining.keep_windows(at=clock())
    attaching.detach_gone(at=clock())
    reconciling.drain_due(clock=clock)
    expiring.expire_volumes(at=clock())
    claiming.drain_due(clock=clock)
    routing.follow_ports(at=clock())
    confiding.clear_away(at=clock())
    orphaned.sweep_orphans(at=clock())
    lingering.follow_namespaces(at=clock())
