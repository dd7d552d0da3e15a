"""What is done every few seconds whether or not anybody hints at it.

Leases that have ended, pods nobody knows, and every instance that is due.
"""

import logging

from provisioning import orphaned, reconciling, stopping
from provisioning.reconciling import Clock

logger = logging.getLogger(__name__)


def sweep(*, clock: Clock) -> None:
    """Sweep once."""
    if stopped := stopping.stop_expired(at=clock()):
        logger.info("%d leases have ended", stopped)
    reconciling.drain_due(clock=clock)
    orphaned.sweep_orphans(at=clock())
