"""Ask for work once the transaction commits, by task name.

The message is a hint: the rows say what is due, and the sweep finds them without it.
So a broker that is down is logged and forgiven; the wish is already safe.
"""

import logging
from functools import partial
from typing import Final

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

DRAIN_DUE: Final = "provisioning.drain_due"
SWEEP: Final = "provisioning.sweep"
READ_EXPORTERS: Final = "provisioning.read_exporters"
REMIND: Final = "provisioning.remind"
EXAMINE: Final = "provisioning.examine_cluster"


def defer_drain() -> None:
    """Wake a worker to bring due instances forward, after the present transaction commits."""
    transaction.on_commit(partial(_send, DRAIN_DUE), robust=True)


def defer_examination(*, cluster_id: int) -> None:
    """Have a claimed cluster examined; a message that is lost is asked for again by a person."""
    transaction.on_commit(partial(_send, EXAMINE, cluster_id), robust=True)


def _send(task: str, *args: int) -> None:
    try:
        current_app.send_task(task, args=args, retry=False)
    except Exception as error:  # noqa: BLE001 - whatever the transport raises, the sweep makes good
        logger.warning("hint not sent (%s); the sweep will find the work", error)
