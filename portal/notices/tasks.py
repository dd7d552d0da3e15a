"""Doors for the worker: take over what there is to tell, and mail it."""

from celery import shared_task
from django.utils import timezone

from portal.notices import deferring, telling


@shared_task(name=deferring.CARRY_NOTICES)
def carry_notices() -> None:
    """Carry everything that is due; the hint and the sweep are the same door."""
    telling.take_notices(at=timezone.now())
    telling.send_mails(at=timezone.now())
