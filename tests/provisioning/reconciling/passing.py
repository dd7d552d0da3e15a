"""The worker's part: pass after pass until nothing is due."""

from datetime import datetime

from provisioning import reconciling
from provisioning.models import Instance
from tests.factories.provisioning import NOON


def drain(at: datetime = NOON) -> int:
    """Let a worker do whatever is due."""
    return reconciling.drain_due(clock=lambda: at)


def due(instance: Instance) -> Instance:
    """The instance as it is now, and due again."""
    Instance.objects.filter(pk=instance.pk).update(next_reconcile_at=NOON)
    instance.refresh_from_db()
    return instance
