"""Ask for instances: the form with its outlook, and the request that waits for a person."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.requests import approving, submitting
from portal.requests.models import InstanceRequest, State
from portal.tenants.access import Action
from portal.tenants.models import Project, Tenant
from portal.tenants.scoping import tenant_for
from portal.web import estimating, offers
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    page,
    status_of,
)
from portal.web.estimating import Outlook
from portal.web.forms.instances import InstanceForm
from portal.web.forms.volumes import SECRET_FIELDS
from portal.web.reaching import account_of, instance_request_in, projects_in, volumes_in
from provisioning import images
from provisioning.models import InstanceType


@form_page
def ask_for_instances(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show what can be had and what it would cost; take the wish."""
    tenant = tenant_for(request.user, slug)
    projects = projects_in(request.user, tenant, Action.SUBMIT_INSTANCE_REQUEST)
    at = timezone.now()
    form = InstanceForm(
        request.POST or None,
        projects=projects,
        volumes=volumes_in(request.user, tenant),
        initial=_initial(request),
        auto_id="wish_%s",
    )
    made: list[InstanceRequest] = []

    def submit() -> None:
        project = form.cleaned_data["project"]
        made.append(
            submitting.submit_instance_request(
                project=project, wish=form.wish(at=at), by=request.user, at=at
            )
        )

    if request.method == "POST" and is_accepted(form, submit):
        return redirect(_where_it_is(tenant, made[0]))
    account = account_of(tenant)
    context = {
        "tenant": tenant,
        "form": form,
        "patterns": images.allowed_to(tenant.pk).values_list("pattern", flat=True),
        "unsent": ",".join(["csrfmiddlewaretoken", *SECRET_FIELDS]),
        "families": offers.families(at=at, account_id=account.pk if account else None),
        "chosen_type": form["instance_type"].value(),
        "outlook": _outlook(form if form.is_bound else _filled(form, projects), at=at),
    }
    return render(request, "web/tenant/instances_new.html", context, status=status_of(form))


@page
def estimate(request: SignedInRequest, slug: str) -> HttpResponse:
    """Answer, while the form is being filled in, what the wish would mean."""
    tenant = tenant_for(request.user, slug)
    projects = projects_in(request.user, tenant, Action.SUBMIT_INSTANCE_REQUEST)
    form = InstanceForm(request.GET, projects=projects)
    context = {"tenant": tenant, "outlook": _outlook(form, at=timezone.now())}
    return render(request, "web/tenant/outlook.html", context)


@page
def show_request(request: SignedInRequest, slug: str, instance_request_id: UUID) -> HttpResponse:
    """Show a wish, its decision, and what was launched for it."""
    tenant, wish = instance_request_in(request.user, slug, instance_request_id)
    launched = [row.instance for row in wish.launched_instances.select_related("instance")]
    context = {"tenant": tenant, "wish": wish, "launched": launched}
    return render(request, "web/tenant/instance_request.html", context)


@action
def withdraw(request: SignedInRequest, slug: str, instance_request_id: UUID) -> HttpResponse:
    """Take a held request back."""
    needed = Action.WITHDRAW_INSTANCE_REQUEST
    _tenant, wish = instance_request_in(request.user, slug, instance_request_id, needed)
    return attempt(
        request,
        lambda: approving.withdraw_request(
            instance_request=wish, by=request.user, at=timezone.now()
        ),
        done=_("The request was withdrawn."),
        to=reverse("web:instances-request", args=[slug, instance_request_id]),
    )


def _initial(request: SignedInRequest) -> dict[str, object]:
    kinds = offers.offered_types()
    given = request.GET.get("instance_type")
    known = {kind.slug for kind in kinds}
    chosen = given if given in known else next((kind.slug for kind in kinds), None)
    return {"instance_type": chosen, "count": 1, "lease": "8", **_one_project(request)}


def _one_project(request: SignedInRequest) -> dict[str, object]:
    project = request.GET.get("project", "")
    return {"project": project} if project.isdecimal() else {}


def _filled(form: InstanceForm, projects: QuerySet[Project]) -> InstanceForm:
    """The same form as if it were sent with what it starts from."""
    first = projects.first()
    return InstanceForm({"project": first and first.pk, **form.initial}, projects=projects)


def _outlook(form: InstanceForm, *, at: datetime) -> Outlook | None:
    """What the form means so far; a form with gaps may still mean something."""
    form.is_valid()
    given = form.cleaned_data
    kind = InstanceType.objects.filter(slug=given.get("instance_type"), is_retired=False)
    instance_type = kind.select_related("family").first()
    project, count = given.get("project"), given.get("count")
    if not (instance_type and project and count):
        return None
    return estimating.look_ahead(
        project=project,
        instance_type=instance_type,
        count=count,
        ends_at=form.end(at=at),
        at=at,
    )


def _where_it_is(tenant: Tenant, wish: InstanceRequest) -> str:
    launched = wish.launched_instances.all()
    if wish.state == State.APPROVED and len(launched) == 1:
        return reverse("web:instances-one", args=[tenant.slug, launched[0].instance_id])
    return reverse("web:instances-request", args=[tenant.slug, wish.pk])
