"""Maintenance windows: planning one with a look at whom it meets, and giving one up."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.tenants.access import Action
from portal.tenants.models import Tenant
from portal.tenants.scoping import require_staff
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    page,
    status_of,
)
from portal.web.forms.maintenance import WindowForm
from provisioning import maintaining
from provisioning.models import MaintenanceWindow

PAST_SHOWN = 20


@form_page
def show_windows(request: SignedInRequest) -> HttpResponse:
    """Show what is planned and what was; plan another."""
    is_planning = request.method == "POST"
    require_staff(request.user, Action.MANAGE_CLUSTER if is_planning else Action.VIEW_CLUSTER)
    form = WindowForm(request.POST or None)

    def plan() -> None:
        maintaining.plan_window(**form.cleaned_data, by=request.user.email, at=timezone.now())

    if is_planning and is_accepted(form, plan):
        return redirect("web:maintenance")
    at = timezone.now()
    rows = MaintenanceWindow.objects.select_related("cluster").prefetch_related("nodes")
    over = rows.filter(ends_at__lte=at) | rows.exclude(cancelled_at=None)
    coming = rows.filter(ends_at__gt=at, cancelled_at=None)
    context = {
        "coming": [(one, _in_the_way(one)) for one in coming],
        "past": over.order_by("-starts_at").distinct()[:PAST_SHOWN],
        "form": form,
        "at": at,
    }
    return render(request, "web/staff/maintenance.html", context, status=status_of(form))


@page
def preview(request: SignedInRequest) -> HttpResponse:
    """Show whom a window would meet, as far as the form is filled in."""
    require_staff(request.user, Action.VIEW_CLUSTER)
    form = WindowForm(request.GET or None)
    form.is_valid()
    given = getattr(form, "cleaned_data", {})
    found = []
    if cluster := given.get("cluster"):
        found = maintaining.affected_by(
            cluster=cluster, nodes=given.get("nodes") or (), starts_at=given.get("starts_at")
        )
    names = Tenant.objects.filter(pk__in={one.instance.tenant_id for one in found})
    tenants = dict(names.values_list("pk", "name"))
    context = {"affected": [(one, tenants.get(one.instance.tenant_id, "")) for one in found]}
    return render(request, "web/staff/maintenance_preview.html", context)


@action
def cancel(request: SignedInRequest, window_id: int) -> HttpResponse:
    """Give a window up."""
    require_staff(request.user, Action.MANAGE_CLUSTER)
    window = get_object_or_404(MaintenanceWindow, pk=window_id)
    return attempt(
        request,
        lambda: maintaining.cancel_window(window=window, by=request.user.email, at=timezone.now()),
        done=_("The window is called off, and those who were told of it are told."),
        to=reverse("web:maintenance"),
    )


def _in_the_way(window: MaintenanceWindow) -> int:
    found = maintaining.affected_by(cluster=window.cluster, nodes=list(window.nodes.all()))
    return len(found)
