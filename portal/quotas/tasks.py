"""Doors for the worker: give back what ended instances held."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from portal.quotas import deferring, releasing


@shared_task(name=deferring.RELEASE_RESERVATIONS)
def release_reservations(*, instance_id: str) -> int:
    """Release what one instance holds, if it has ended."""
    return releasing.release_if_ended(instance_id=UUID(instance_id), at=timezone.now())


@shared_task(name=deferring.SWEEP_RESERVATIONS)
def sweep_reservations() -> int:
    """Release what every ended instance still holds; finds what a lost hint left."""
    return releasing.sweep_reservations(at=timezone.now())
