"""Ask for work once the transaction commits, by task name.

The message is a hint: the rows say what is due, and the sweep finds them without it.
So a broker that is down is logged and forgiven; the wish is already safe.
"""

import logging
from typing import Final

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

DRAIN_DUE: Final = "provisioning.drain_due"
SWEEP: Final = "provisioning.sweep"


def defer_drain() -> None:
    """Wake a worker to bring due instances forward, after the present transaction commits."""
    transaction.on_commit(_send_hint, robust=True)


def _send_hint() -> None:
    try:
        current_app.send_task(DRAIN_DUE, retry=False)
    except Exception as error:  # noqa: BLE001 - whatever the transport raises, the sweep makes good
        logger.warning("hint not sent (%s); the sweep will find the work", error)
