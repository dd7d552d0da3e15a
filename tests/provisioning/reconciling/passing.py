"""The worker's part: pass after pass until nothing is due."""

from datetime import datetime

from provisioning import leasing, reconciling
from provisioning.leasing import Claim
from provisioning.models import Instance
from tests.factories.provisioning import NOON


def drain(at: datetime = NOON) -> int:
    """Let a worker do whatever is due."""
    return reconciling.drain_due(clock=lambda: at)


def claim(at: datetime = NOON) -> Claim | None:
    """Claim whoever has been due for longest, as a worker would that takes one at a time."""
    return next(iter(leasing.claim_due(at=at, most=1)), None)


def due(instance: Instance) -> Instance:
    """The instance as it is now, and due again."""
    Instance.objects.filter(pk=instance.pk).update(next_reconcile_at=NOON)
    instance.refresh_from_db()
    return instance
