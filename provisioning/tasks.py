"""Doors for Celery: read the clock, make one call.  Each may run twice or at the same time."""

from celery import shared_task
from django.utils import timezone

from provisioning import claiming, deferring, reconciling, sweeping


@shared_task(name=deferring.DRAIN_DUE)
def drain_due() -> None:
    """Answer a hint."""
    reconciling.drain_due(clock=timezone.now)
    claiming.drain_due(clock=timezone.now)


@shared_task(name=deferring.SWEEP)
def sweep() -> None:
    """Find what no hint told of."""
    sweeping.sweep(clock=timezone.now)
