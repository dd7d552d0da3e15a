"""Ask workers for what can be done later, by task name and once the transaction commits.

A lost message costs nothing but time: a file that is missing is rendered when it is asked for.
"""

from uuid import UUID

from celery import current_app
from django.db import transaction

RENDER_INVOICE = "billing.render_invoice"


def defer_rendering(invoice_id: UUID) -> None:
    """Have the files of an issued invoice rendered."""
    transaction.on_commit(lambda: _send(invoice_id), robust=True)


def _send(invoice_id: UUID) -> None:
    current_app.send_task(RENDER_INVOICE, kwargs={"invoice_id": str(invoice_id)})
