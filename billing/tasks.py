"""Doors for workers: each takes an id, makes one call, and may run twice."""

from uuid import UUID

from celery import shared_task

from billing import documents
from billing.deferring import RENDER_INVOICE
from billing.models import Invoice, InvoiceFile


@shared_task(name=RENDER_INVOICE)
def render_invoice(*, invoice_id: str) -> None:
    """Render every file of an issued invoice before somebody asks for one."""
    invoice = Invoice.objects.get(pk=UUID(invoice_id))
    for file_format in InvoiceFile.Format.values:
        for language in InvoiceFile.Language.values:
            documents.file_of(invoice, file_format, language)
