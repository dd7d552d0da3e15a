"""Doors for the worker: keep what the API remembers from growing."""

from celery import shared_task
from django.utils import timezone

from portal.api import idempotency


@shared_task(name="portal.forget_idempotency_keys")
def forget_idempotency_keys() -> int:
    """Delete the keys nobody may repeat any more."""
    return idempotency.forget_keys(at=timezone.now())
