"""What a tenant used in a month: by day, by project and SKU, and run by run."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from billing import periods
from billing import queries as billing_queries
from billing.intervals import Span
from billing.queries import UsageRow
from portal.tenants.access import Action
from portal.tenants.models import Tenant
from portal.tenants.scoping import instances_of, tenant_for
from portal.web.answering import SignedInRequest, page
from portal.web.paging import ROWS
from portal.web.reaching import account_of, projects_in
from portal.web.templatetags.farm import KST

# No farm is older; a month before the first of the calendar has no neighbour to link to.
EARLIEST = datetime(2000, 1, 1, tzinfo=KST)


@dataclass(frozen=True)
class Day:
    """Device-seconds of one Korean calendar day, by SKU."""

    on: date
    by_sku: dict[str, int]

    @property
    def total(self) -> int:
        """All SKUs together."""
        return sum(self.by_sku.values())


@page
def show_usage(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show a month of use."""
    tenant = tenant_for(request.user, slug)
    projects = {one.pk: one.name for one in projects_in(request.user, tenant, Action.VIEW_USAGE)}
    at = timezone.now()
    month = _month(request, at)
    rows = _rows(tenant, month, projects, at)
    skus = sorted({row.sku_code for row in rows})
    context = {
        "tenant": tenant,
        "month": month,
        "earlier": _shifted(month, -1),
        "later": _shifted(month, +1) if month.until <= at else None,
        "projects": projects,
        "skus": skus,
        "days": _days(rows, month, at),
        "lines": _lines(tenant, month, projects, at),
        "runs": Paginator(rows, ROWS).get_page(request.GET.get("page")),
        "total": sum(row.device_seconds for row in rows),
        "names": _instance_names(request, rows),
    }
    return render(request, "web/tenant/usage.html", context)


def _rows(tenant: Tenant, month: Span, projects: dict[int, str], at: datetime) -> list[UsageRow]:
    account = account_of(tenant)
    if account is None:
        return []
    rows = billing_queries.usage_rows(
        account_id=account.pk, since=month.since, until=month.until, at=at
    )
    mine = [row for row in rows if row.project_id in projects]
    return sorted(mine, key=lambda row: row.started_at, reverse=True)


def _lines(tenant: Tenant, month: Span, projects: dict[int, str], at: datetime) -> list[object]:
    account = account_of(tenant)
    if account is None:
        return []
    rating = billing_queries.provisional_total(account=account, span=month, at=at)
    return [line for line in rating.lines if line.project_id in projects]


def _days(rows: Iterable[UsageRow], month: Span, at: datetime) -> list[Day]:
    used: defaultdict[date, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    midnights = list(_midnights(month))
    for row in rows:
        until = row.ended_at or row.proved_until or row.started_at
        inside = Span(row.started_at, max(row.started_at, until)).overlap(month)
        for part in inside.split_at(midnights) if inside else []:
            day = part.since.astimezone(KST).date()
            used[day][row.sku_code] += part.seconds * row.quantity
    last = min(month.until, at)
    days = [moment.astimezone(KST).date() for moment in [month.since, *midnights] if moment <= last]
    return [Day(day, dict(used[day])) for day in days]


def _midnights(month: Span) -> Iterator[datetime]:
    moment = month.since + timedelta(days=1)
    while moment < month.until:
        yield moment
        moment += timedelta(days=1)


def _month(request: SignedInRequest, at: datetime) -> Span:
    try:
        first = datetime.strptime(request.GET.get("month", ""), "%Y-%m").replace(tzinfo=KST)
    except ValueError:
        return periods.kst_month(at)
    return periods.kst_month(min(max(first, EARLIEST), at))


def _shifted(month: Span, step: int) -> str:
    moment = month.since - timedelta(days=1) if step < 0 else month.until
    return moment.astimezone(KST).strftime("%Y-%m")


def _instance_names(request: SignedInRequest, rows: Iterable[UsageRow]) -> dict[str, str]:
    ids = {row.resource_ref for row in rows}
    known = instances_of(request.user).filter(pk__in=ids)
    return {str(pk): name for pk, name in known.values_list("pk", "name")}
