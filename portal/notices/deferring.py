"""Ask for notices to be carried on once the transaction commits; imports no task.

The message is a hint: the sweep finds the same work in the rows.
"""

import logging
from typing import Final

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

CARRY_NOTICES: Final = "portal.carry_notices"


def defer_carrying() -> None:
    """Have notices taken over and mailed by a worker."""
    transaction.on_commit(_send_hint, robust=True)


def _send_hint() -> None:
    try:
        current_app.send_task(CARRY_NOTICES, retry=False)
    except Exception:
        logger.warning("hint not sent; the sweep will find the work", exc_info=True)
