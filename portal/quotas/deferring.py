"""Ask for work by task name once the transaction commits; imports no task."""

from uuid import UUID

from celery import current_app
from django.db import transaction

RELEASE_RESERVATIONS = "portal.release_reservations"
SWEEP_RESERVATIONS = "portal.sweep_reservations"


def defer_release(*, instance_id: UUID) -> None:
    """Have the reservation of an ended instance released by a worker."""
    transaction.on_commit(
        lambda: current_app.send_task(
            RELEASE_RESERVATIONS, kwargs={"instance_id": str(instance_id)}, ignore_result=True
        )
    )
