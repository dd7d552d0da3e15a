"""Ask for work by task name once the transaction commits; imports no task.

The message is a hint: the sweep finds the same work in the rows.  So a broker that is
down is logged and forgiven.
"""

import logging
from typing import Final
from uuid import UUID

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

RELEASE_RESERVATIONS: Final = "portal.release_reservations"
SWEEP_RESERVATIONS: Final = "portal.sweep_reservations"


def defer_release(*, instance_id: UUID) -> None:
    """Have what an ended instance holds released by a worker."""
    transaction.on_commit(lambda: _send_hint(instance_id), robust=True)


def _send_hint(instance_id: UUID) -> None:
    try:
        current_app.send_task(
            RELEASE_RESERVATIONS, kwargs={"instance_id": str(instance_id)}, retry=False
        )
    except Exception:
        logger.warning("hint not sent; the sweep will find the work", exc_info=True)
