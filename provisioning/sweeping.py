"""What is done every few seconds whether or not anybody hints at it.

Whether the database is as new as its clusters, leases that have ended, pods nobody knows,
and every instance that is due.
"""

import logging

from provisioning import marking, orphaned, reconciling, stopping
from provisioning.reconciling import Clock

logger = logging.getLogger(__name__)


def sweep(*, clock: Clock) -> None:
    """Sweep once."""
    # First of all: a database older than its clusters must not act on them.
    marking.check_all(clock=clock)
    if stopped := stopping.stop_expired(at=clock()):
        logger.info("%d leases have ended", stopped)
    reconciling.drain_due(clock=clock)
    orphaned.sweep_orphans(at=clock())
