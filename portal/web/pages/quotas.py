"""Quota of a tenant's projects: what there is, asking for more, taking a request back."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.quotas.queries import with_headroom
from portal.quotas.scoping import quotas_of
from portal.requests import approving, submitting
from portal.requests.scoping import quota_requests_of
from portal.tenants.access import Action
from portal.tenants.scoping import tenant_for
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    page,
    status_of,
)
from portal.web.forms.quotas import QuotaRequestForm
from portal.web.paging import paged
from portal.web.reaching import projects_in, quota_request_in


@page
def show_quota(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show every quota with what is in use, and the requests so far."""
    tenant = tenant_for(request.user, slug)
    quotas = with_headroom(quotas_of(request.user).filter(project__tenant=tenant))
    asked = quota_requests_of(request.user).filter(project__tenant=tenant)
    context = {
        "tenant": tenant,
        "quotas": quotas.order_by("project__name", "family__name"),
        "asked": paged(request, asked.order_by("-submitted_at")),
    }
    return render(request, "web/tenant/quota.html", context)


@form_page
def ask_for_quota(request: SignedInRequest, slug: str) -> HttpResponse:
    """Ask for the right to hold more devices."""
    tenant = tenant_for(request.user, slug)
    projects = projects_in(request.user, tenant, Action.SUBMIT_QUOTA_REQUEST)
    form = QuotaRequestForm(request.POST or None, projects=projects, initial=request.GET.dict())

    def submit() -> None:
        submitting.submit_quota_request(**form.cleaned_data, by=request.user, at=timezone.now())

    if request.method == "POST" and is_accepted(form, submit):
        return redirect("web:quota", slug=slug)
    context = {"tenant": tenant, "form": form}
    return render(request, "web/tenant/quota_new.html", context, status=status_of(form))


@action
def withdraw(request: SignedInRequest, slug: str, quota_request_id: UUID) -> HttpResponse:
    """Take a request back before anybody decides."""
    _tenant, wish = quota_request_in(
        request.user, slug, quota_request_id, Action.WITHDRAW_QUOTA_REQUEST
    )
    return attempt(
        request,
        lambda: approving.withdraw_quota_request(
            quota_request=wish, by=request.user, at=timezone.now()
        ),
        done=_("The request was withdrawn."),
        to=reverse("web:quota", args=[slug]),
    )
