"""Celery's doors to this app."""

from celery import shared_task
from django.utils import timezone

from portal.access import terminals


@shared_task(name="portal.close_lost_terminals")
def close_lost_terminals() -> None:
    """Close terminals whose web process died."""
    terminals.close_lost(at=timezone.now())
