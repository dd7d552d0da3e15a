"""The approver's queue: what waits, what speaks for and against it, and the decision."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.requests import approving
from portal.requests.models import InstanceRequest, QuotaRequest
from portal.requests.scoping import (
    instance_request_for,
    instance_requests_of,
    quota_request_for,
    quota_requests_of,
)
from portal.tenants.access import Action
from portal.tenants.scoping import require_staff
from portal.web import weighing
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    page,
    status_of,
)
from portal.web.forms.quotas import QuotaDecisionForm, RejectionForm

RECENT = 15


@page
def show_queue(request: SignedInRequest) -> HttpResponse:
    """Show what waits, oldest first, and what was decided lately."""
    require_staff(request.user, Action.VIEW_QUOTA_REQUEST)
    quota = quota_requests_of(request.user)
    held = instance_requests_of(request.user)
    decided = quota.exclude(state=QuotaRequest.OPEN).order_by("-decided_at")
    context = {
        "quota_requests": quota.filter(state=QuotaRequest.OPEN).order_by("submitted_at"),
        "instance_requests": held.filter(state=InstanceRequest.OPEN).order_by("submitted_at"),
        "decided": decided[:RECENT],
        "at": timezone.now(),
    }
    return render(request, "web/staff/approvals.html", context)


@form_page
def decide_quota_request(request: SignedInRequest, quota_request_id: UUID) -> HttpResponse:
    """Show one quota request with everything that bears on it; approve it."""
    is_deciding = request.method == "POST"
    needed = Action.DECIDE_QUOTA_REQUEST if is_deciding else Action.VIEW_QUOTA_REQUEST
    require_staff(request.user, needed)
    wish = quota_request_for(request.user, quota_request_id, needed)
    form = QuotaDecisionForm(request.POST or None, initial={"devices": wish.devices})

    def approve() -> None:
        approving.approve_quota_request(
            quota_request=wish, **form.cleaned_data, by=request.user, at=timezone.now()
        )

    if is_deciding and is_accepted(form, approve):
        return redirect("web:approvals")
    context = {
        "wish": wish,
        "form": form,
        "rejection": RejectionForm(auto_id="reject_%s"),
        "case": weighing.case_of(wish, at=timezone.now()),
    }
    return render(request, "web/staff/approval.html", context, status=status_of(form))


@action
def reject_quota_request(request: SignedInRequest, quota_request_id: UUID) -> HttpResponse:
    """Refuse a quota request, with a reason."""
    require_staff(request.user, Action.DECIDE_QUOTA_REQUEST)
    wish = quota_request_for(request.user, quota_request_id, Action.DECIDE_QUOTA_REQUEST)
    return attempt(
        request,
        lambda: approving.reject_quota_request(
            quota_request=wish,
            reason=request.POST.get("reason", ""),
            by=request.user,
            at=timezone.now(),
        ),
        done=_("The request was rejected."),
        to=reverse("web:approvals-quota", args=[quota_request_id]),
    )


@page
def show_instance_request(request: SignedInRequest, instance_request_id: UUID) -> HttpResponse:
    """Show one instance request with everything that bears on it."""
    require_staff(request.user, Action.VIEW_INSTANCE_REQUEST)
    wish = instance_request_for(request.user, instance_request_id)
    context = {
        "wish": wish,
        "rejection": RejectionForm(auto_id="reject_%s"),
        "outlook": weighing.outlook_of(wish, at=timezone.now()),
    }
    return render(request, "web/staff/instance_approval.html", context)


@action
def approve_instance_request(request: SignedInRequest, instance_request_id: UUID) -> HttpResponse:
    """Let a held request go."""
    require_staff(request.user, Action.DECIDE_INSTANCE_REQUEST)
    wish = instance_request_for(request.user, instance_request_id, Action.DECIDE_INSTANCE_REQUEST)
    return attempt(
        request,
        lambda: approving.approve_request(
            instance_request=wish, by=request.user, at=timezone.now()
        ),
        done=_("The request was approved and is being launched."),
        to=reverse("web:approvals"),
    )


@action
def reject_instance_request(request: SignedInRequest, instance_request_id: UUID) -> HttpResponse:
    """Refuse a held request, with a reason."""
    require_staff(request.user, Action.DECIDE_INSTANCE_REQUEST)
    wish = instance_request_for(request.user, instance_request_id, Action.DECIDE_INSTANCE_REQUEST)
    return attempt(
        request,
        lambda: approving.reject_request(
            instance_request=wish,
            reason=request.POST.get("reason", ""),
            by=request.user,
            at=timezone.now(),
        ),
        done=_("The request was rejected."),
        to=reverse("web:approvals-instances", args=[instance_request_id]),
    )
