"""The overview of a tenant: quota, what runs, what it costs this month, what waits."""

from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from billing import periods
from billing import queries as billing_queries
from billing.models import Account
from billing.rating import Rating
from portal.quotas.queries import with_headroom
from portal.quotas.scoping import quotas_of
from portal.requests.scoping import instance_requests_of, quota_requests_of
from portal.tenants.access import Action
from portal.tenants.models import Tenant
from portal.tenants.scoping import accounts_of, instances_of, tenant_for
from portal.web.answering import SignedInRequest, page
from portal.web.pages.instances import MOVING, RESTING, project_names
from portal.web.states import INSTANCE
from provisioning.states import ENDED, State

NEWEST = 6


@page
def show_dashboard(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show on one page how the tenant stands."""
    tenant = tenant_for(request.user, slug)
    at = timezone.now()
    mine = instances_of(request.user).filter(tenant_id=tenant.pk)
    live = list(mine.exclude(state__in=ENDED).order_by("-created_at")[:NEWEST])
    quotas = with_headroom(quotas_of(request.user).filter(project__tenant=tenant))
    context = {
        "tenant": tenant,
        "quotas": quotas.order_by("project__name", "family__name"),
        "instances": live,
        "live_count": mine.exclude(state__in=ENDED).count(),
        "running_count": mine.filter(state=State.RUNNING).count(),
        "projects": project_names(tenant),
        "month": periods.kst_month(at),
        "spent": _spent(request, tenant, at),
        "waiting": _waiting(request, tenant),
        "poll": MOVING if any(INSTANCE[one.state].is_moving for one in live) else RESTING,
    }
    part = "dashboard_live" if request.htmx else "dashboard"
    return render(request, f"web/tenant/{part}.html", context)


def _spent(request: SignedInRequest, tenant: Tenant, at: datetime) -> Rating | None:
    """This month so far; nothing for who may not see money."""
    rows = accounts_of(request.user, Action.VIEW_USAGE).filter(tenant_id=tenant.pk)
    account: Account | None = rows.first()
    if account is None:
        return None
    return billing_queries.provisional_total(account=account, span=periods.kst_month(at), at=at)


def _waiting(request: SignedInRequest, tenant: Tenant) -> list[object]:
    quota = quota_requests_of(request.user).filter(project__tenant=tenant, state="submitted")
    held = instance_requests_of(request.user).filter(project__tenant=tenant, state="held")
    return [*quota.order_by("submitted_at"), *held.order_by("submitted_at")]
