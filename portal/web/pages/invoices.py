"""Invoices of a tenant: the list, one of them, and its files."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import translation

from billing import documents
from billing.models import Invoice, InvoiceFile
from portal.tenants.access import Action
from portal.tenants.scoping import invoices_of
from portal.web.answering import SignedInRequest, page
from portal.web.paging import paged
from portal.web.reaching import account_in, invoice_in

CONTENT_TYPES = {
    InvoiceFile.Format.PDF: "application/pdf",
    InvoiceFile.Format.CSV: "text/csv; charset=utf-8",
}


@page
def show_invoices(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the tenant's invoices, newest first."""
    tenant, account = account_in(request.user, slug, Action.VIEW_INVOICE)
    rows = invoices_of(request.user).filter(account=account).order_by("-drafted_at")
    context = {"tenant": tenant, "invoices": paged(request, rows)}
    return render(request, "web/tenant/invoices.html", context)


@page
def show_invoice(request: SignedInRequest, slug: str, invoice_id: UUID) -> HttpResponse:
    """Show one invoice with its lines."""
    tenant, invoice = invoice_in(request.user, slug, invoice_id)
    context = {"tenant": tenant, "invoice": invoice, "lines": invoice.lines.order_by("position")}
    return render(request, "web/tenant/invoice.html", context)


@page
def download(request: SignedInRequest, slug: str, invoice_id: UUID, form: str) -> HttpResponse:
    """Hand out the invoice as a file, in one of its languages."""
    _tenant, invoice = invoice_in(request.user, slug, invoice_id)
    language = request.GET.get("language") or translation.get_language()
    if form not in InvoiceFile.Format.values or language not in InvoiceFile.Language.values:
        raise Http404
    if invoice.state == Invoice.State.DRAFT:
        raise Http404
    file = documents.file_of(invoice=invoice, format=form, language=language)
    name = f"{invoice.number}.{language}.{form}"
    return HttpResponse(
        bytes(file.content),
        content_type=CONTENT_TYPES[InvoiceFile.Format(form)],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
