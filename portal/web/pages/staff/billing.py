"""Finance: accounts, their billing periods with what keeps them open, drafts, issued invoices."""

from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import closing, invoicing, periods
from billing.models import BillingPeriod, Invoice
from portal.tenants.access import Action
from portal.tenants.models import Project, Tenant
from portal.tenants.scoping import account_for, accounts_of, invoice_for, require_staff
from portal.web.answering import SignedInRequest, action, attempt, page
from portal.web.paging import paged


@page
def show_accounts(request: SignedInRequest) -> HttpResponse:
    """Show every account with its latest invoice."""
    require_staff(request.user, Action.VIEW_PERIOD)
    accounts = paged(request, accounts_of(request.user).order_by("name"))
    latest = Invoice.objects.filter(account__in=[one.pk for one in accounts]).order_by("drafted_at")
    context = {"accounts": accounts, "latest": {one.account_id: one for one in latest}}
    return render(request, "web/staff/billing.html", context)


@page
def show_account(request: SignedInRequest, account_id: int) -> HttpResponse:
    """Show the billing periods of one account, each with what keeps it open."""
    require_staff(request.user, Action.VIEW_PERIOD)
    account = account_for(request.user, account_id)
    at = timezone.now()
    begun = BillingPeriod.objects.filter(account=account, span__startswith__lte=at)
    rows = paged(request, begun.order_by("-span"), size=12)
    context = {
        "account": account,
        "tenant": Tenant.objects.filter(pk=account.tenant_id).first(),
        "rows": rows,
        "periods": [_told_about(period, at) for period in rows],
        "at": at,
    }
    return render(request, "web/staff/account.html", context)


@action
def cut(request: SignedInRequest, account_id: int) -> HttpResponse:
    """End the present period now, so that it can be invoiced."""
    require_staff(request.user, Action.MANAGE_BILLING)
    account = account_for(request.user, account_id)
    return attempt(
        request,
        lambda: periods.cut_period(account=account, at=timezone.now()),
        done=_("The period was cut; the part before now can be invoiced."),
        to=reverse("web:billing-account", args=[account_id]),
    )


@action
def draft(request: SignedInRequest, account_id: int, period_id: int) -> HttpResponse:
    """Draft the invoice of a period, or draft it again."""
    require_staff(request.user, Action.MANAGE_BILLING)
    account = account_for(request.user, account_id)
    period = get_object_or_404(BillingPeriod, account=account, pk=period_id)
    projects = Project.objects.filter(tenant=account.tenant_id)
    names = dict(projects.values_list("pk", "name"))
    return attempt(
        request,
        lambda: invoicing.draft_invoice(period=period, project_names=names, at=timezone.now()),
        done=_("The invoice was drafted."),
        to=reverse("web:billing-account", args=[account_id]),
    )


@action
def close(request: SignedInRequest, account_id: int, period_id: int) -> HttpResponse:
    """Close a period that comes to nothing."""
    require_staff(request.user, Action.MANAGE_BILLING)
    account = account_for(request.user, account_id)
    period = get_object_or_404(BillingPeriod, account=account, pk=period_id)
    return attempt(
        request,
        lambda: closing.close_unused(period=period, by=request.user.email, at=timezone.now()),
        done=_("The period was closed."),
        to=reverse("web:billing-account", args=[account_id]),
    )


@action
def issue(request: SignedInRequest, invoice_id: UUID) -> HttpResponse:
    """Issue a draft: from then on it never changes."""
    require_staff(request.user, Action.MANAGE_BILLING)
    invoice = invoice_for(request.user, invoice_id)
    return attempt(
        request,
        lambda: invoicing.issue_invoice(draft=invoice, by=request.user.email, at=timezone.now()),
        done=_("The invoice was issued."),
        to=reverse("web:billing-account", args=[invoice.account_id]),
    )


def _told_about(period: BillingPeriod, at: datetime) -> dict[str, object]:
    is_current = period.bounds.covers(at)
    is_closable = not is_current and not period.closed_at
    invoices = Invoice.objects.filter(period=period).exclude(state=Invoice.State.VOID)
    return {
        "period": period,
        "is_current": is_current,
        "invoice": invoices.order_by("-drafted_at").first(),
        "exceptions": closing.exceptions_of(period=period, at=at) if is_closable else [],
    }
