"""Keep issued invoices as files: rendered once, by a worker or by the first who asks."""

import hashlib

from billing.documents import csv, pdf
from billing.documents.sheets import sheet_of
from billing.documents.wording import WORDS
from billing.errors import IllegalState
from billing.models import Invoice, InvoiceFile

RENDERERS = {InvoiceFile.Format.PDF.value: pdf.render, InvoiceFile.Format.CSV.value: csv.render}


def file_of(invoice: Invoice, format: str, language: str) -> InvoiceFile:  # noqa: A002
    """The file of an issued invoice; rendered now if that has not happened yet."""
    kept = InvoiceFile.objects.filter(invoice=invoice, format=format, language=language).first()
    return kept or render_invoice(invoice, format, language)


def render_invoice(invoice: Invoice, format: str, language: str) -> InvoiceFile:  # noqa: A002
    """Render and keep a file; of two who render at once, both get the one that was kept."""
    if invoice.state == Invoice.State.DRAFT:
        raise IllegalState("A draft has no files.")
    content = RENDERERS[format](sheet=sheet_of(invoice), words=WORDS[language])
    kept, _ = InvoiceFile.objects.get_or_create(
        invoice=invoice,
        format=format,
        language=language,
        defaults={"content": content, "sha256": hashlib.sha256(content).hexdigest()},
    )
    return kept
