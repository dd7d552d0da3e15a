"""The projects of a tenant: what each holds, and opening another."""

from collections import Counter

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from portal.quotas.queries import with_headroom
from portal.quotas.scoping import quotas_of
from portal.tenants import onboarding
from portal.tenants.access import Action
from portal.tenants.models import Tenant
from portal.tenants.scoping import instances_of, projects_of, tenant_for
from portal.web.answering import SignedInRequest, form_page, is_accepted, status_of
from portal.web.forms.tenants import ProjectForm
from provisioning.states import ENDED


@form_page
def show_projects(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the projects with quota and live instances; open a new one."""
    needed = Action.OPEN_PROJECT if request.method == "POST" else Action.VIEW_TENANT
    tenant = tenant_for(request.user, slug, needed)
    form = ProjectForm(request.POST or None)

    def open_it() -> None:
        name = form.cleaned_data["name"]
        onboarding.open_project(tenant=tenant, name=name, at=timezone.now())

    if request.method == "POST" and is_accepted(form, open_it):
        return redirect("web:projects", slug=slug)
    context = {"tenant": tenant, "projects": _projects(request, tenant), "form": form}
    return render(request, "web/tenant/projects.html", context, status=status_of(form))


def _projects(request: SignedInRequest, tenant: Tenant) -> list[dict[str, object]]:
    projects = projects_of(request.user).filter(tenant=tenant).order_by("name")
    live = instances_of(request.user).filter(tenant_id=tenant.pk).exclude(state__in=ENDED)
    counts = Counter(live.values_list("project_id", flat=True))
    quotas = list(with_headroom(quotas_of(request.user).filter(project__tenant=tenant)))
    return [
        {
            "project": project,
            "live": counts[project.pk],
            "quotas": [quota for quota in quotas if quota.project_id == project.pk],
        }
        for project in projects
    ]
