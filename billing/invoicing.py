"""Draft, issue and void invoices.

A draft is the month as `charging` rates it now and may be drawn again; issuing closes the billing
period and gives the number.  From then on the database lets nothing change but the state;
`documents` renders the files.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.db import transaction

from billing import accounts, charging, closing, deferring, numbering
from billing.errors import (
    CloseBlocked,
    IllegalState,
    InvoiceAlreadyIssued,
    NothingToInvoice,
)
from billing.models import BillingPeriod, Invoice, Payer, Seller


def draft_invoice(
    *, period: BillingPeriod, at: datetime, project_names: Mapping[int, str] | None = None
) -> Invoice:
    """Draft the bill of a period; a draft that is there already is drawn again."""
    drafts = draft_invoices(periods=[period], at=at, project_names=project_names)
    if drafts:
        return drafts[0]
    exceptions = closing.exceptions_of(period=period, at=at)
    unpriced = [each for each in exceptions if each.code is closing.Blocker.UNPRICED]
    if unpriced:
        raise CloseBlocked(exceptions=unpriced)
    raise NothingToInvoice


@transaction.atomic
def draft_invoices(
    *,
    periods: Sequence[BillingPeriod],
    at: datetime,
    project_names: Mapping[int, str] | None = None,
) -> list[Invoice]:
    """Draft the bills of many periods at once; a period that comes to nothing gets none."""
    seller = accounts.active_seller()
    held = _lock_periods(periods)
    known = _take_away_drafts(held)
    payers = _own_payers(held)
    drafts = [
        _header(period, payers[period.account_id], seller, known.get(period.pk), at)
        for period in held
    ]
    Invoice.objects.bulk_create(drafts)
    charging.write_lines(
        drafts={
            draft.pk: closing.scope_of(period, draft)
            for draft, period in zip(drafts, held, strict=True)
        },
        project_names=project_names or {},
    )
    written = Invoice.objects.filter(pk__in=[draft.pk for draft in drafts])
    written.filter(net_amount=0).delete()
    return list(written.order_by("period_id"))


@transaction.atomic
def issue_invoice(*, draft: Invoice, by: str, at: datetime) -> Invoice:
    """Make a draft a bill: close its period, fix its figures, give it the next number."""
    # The period before the invoice, as drafting does: the other way round they could deadlock.
    period = BillingPeriod.objects.select_for_update().get(pk=draft.period_id)
    invoice = _lock_invoice(draft.pk, expected=Invoice.State.DRAFT)
    exceptions = closing.exceptions_of(period=period, at=at)
    if exceptions:
        raise CloseBlocked(exceptions=exceptions)
    period.closed_at, period.closed_by = at, by
    period.save(update_fields=["closed_at", "closed_by"])
    invoice.state = Invoice.State.ISSUED
    invoice.issued_at, invoice.issued_by = at, by
    invoice.issued_on = at.astimezone(ZoneInfo(invoice.timezone)).date()
    invoice.due_on = invoice.issued_on + timedelta(days=invoice.seller.payment_terms_days)
    invoice.series, invoice.number = numbering.draw_number(
        seller=invoice.seller, code=numbering.INVOICE_CODE, on=invoice.issued_on
    )
    invoice.save()
    deferring.defer_rendering(invoice.pk)
    return invoice


@transaction.atomic
def void_invoice(*, invoice: Invoice, by: str, at: datetime) -> Invoice:
    """Take back an issued bill; it keeps its number, and its period can be billed anew."""
    period = BillingPeriod.objects.select_for_update().get(pk=invoice.period_id)
    voided = _lock_invoice(invoice.pk, expected=Invoice.State.ISSUED)
    voided.state = Invoice.State.VOID
    voided.voided_at, voided.voided_by = at, by
    voided.save(update_fields=["state", "voided_at", "voided_by"])
    period.closed_at, period.closed_by = None, ""
    period.save(update_fields=["closed_at", "closed_by"])
    return voided


def _lock_periods(periods: Sequence[BillingPeriod]) -> list[BillingPeriod]:
    rows = BillingPeriod.objects.select_for_update(of=("self",)).select_related("account")
    return list(rows.filter(pk__in=[period.pk for period in periods]).order_by("pk"))


def _lock_invoice(pk: UUID, *, expected: Invoice.State) -> Invoice:
    rows = Invoice.objects.select_for_update(of=("self",)).select_related("seller")
    invoice = rows.filter(pk=pk).first()
    if invoice is None or invoice.state != expected:
        state = invoice.state if invoice else "gone"
        raise IllegalState(f"The invoice is not {expected.value}: it is {state}.")
    return invoice


def _take_away_drafts(periods: Sequence[BillingPeriod]) -> dict[int, UUID]:
    """Delete the drafts of these periods; the next ones take over their ids."""
    standing = Invoice.objects.filter(period__in=periods).exclude(state=Invoice.State.VOID)
    if standing.exclude(state=Invoice.State.DRAFT).exists():
        raise InvoiceAlreadyIssued
    ids = dict(standing.values_list("period_id", "pk"))
    standing.delete()
    return ids


def _own_payers(periods: Sequence[BillingPeriod]) -> dict[int | None, Payer]:
    billed = [period.account_id for period in periods]
    own = Payer.objects.filter(kind=Payer.Kind.ACCOUNT, account_id__in=billed)
    return {payer.account_id: payer for payer in own}


def _header(
    period: BillingPeriod, payer: Payer, seller: Seller, known_id: UUID | None, at: datetime
) -> Invoice:
    account = period.account
    return Invoice(
        id=known_id or uuid4(),
        account=account,
        payer=payer,
        period=period,
        seller=seller,
        currency=account.currency,
        timezone=account.timezone,
        tax_rate=seller.tax_rate,
        service_from=period.since,
        service_until=period.until,
        drafted_at=at,
        seller_name=seller.name,
        seller_business_number=seller.business_number,
        seller_representative=seller.representative,
        seller_address=seller.address,
        seller_bank_account=seller.bank_account,
        buyer_name=payer.name,
        buyer_business_number=payer.business_number,
        buyer_representative=payer.representative,
        buyer_address=payer.address,
        buyer_email=payer.email,
    )
