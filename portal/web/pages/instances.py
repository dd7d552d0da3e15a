"""Instances of a tenant: the list, one of them, and its logs.

What may be done with one is `operating`'s affair.
"""

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.requests.models import LaunchedInstance
from portal.requests.scoping import instance_requests_of
from portal.tenants.access import Action
from portal.tenants.models import Project, Tenant
from portal.tenants.scoping import instances_of, tenant_for
from portal.web import refusals, states
from portal.web.answering import SignedInRequest, page
from portal.web.forms.instances import ExtensionForm
from portal.web.paging import paged
from portal.web.reaching import instance_in
from portal.web.spending import spending_of
from provisioning import freshness, inventory, moving, pods, queries, reading, waiting
from provisioning.errors import ProvisioningError
from provisioning.models import Attempt, Instance
from provisioning.states import State

# Seconds until a page asks again: soon while something moves, seldom while nothing does.
MOVING, RUNNING, RESTING = 2, 5, 20
LOG_LINES = 200
LONGEST_ID = 19


@page
def show_instances(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the tenant's instances and the requests still waiting for a person."""
    tenant = tenant_for(request.user, slug)
    shown = request.GET.get("show", "live")
    rows = _narrowed(instances_of(request.user).filter(tenant_id=tenant.pk), shown)
    project = request.GET.get("project", "")
    if project.isdecimal() and len(project) < LONGEST_ID:
        rows = rows.filter(project_id=int(project))
    instances = paged(request, rows.order_by("-created_at", "pk"))
    held = instance_requests_of(request.user).filter(project__tenant=tenant, state="held")
    context = {
        "tenant": tenant,
        "instances": instances,
        "held": held.order_by("-submitted_at"),
        "shown": shown,
        "projects": project_names(tenant),
        "poll": MOVING if any(_is_moving(one) for one in instances) else RESTING,
    }
    part = "instances_live" if request.htmx else "instances"
    return render(request, f"web/tenant/{part}.html", context)


@page
def show_instance(request: SignedInRequest, slug: str, instance_id: UUID) -> HttpResponse:
    """Show one instance: state and reason, meter, devices, history."""
    tenant, instance = instance_in(request.user, slug, instance_id)
    context = {"tenant": tenant, **_told_about(instance)}
    part = "instance_live" if request.htmx else "instance"
    return render(request, f"web/tenant/{part}.html", context)


@page
def show_logs(request: SignedInRequest, slug: str, instance_id: UUID) -> HttpResponse:
    """Show the last lines the container has written."""
    tenant, instance = instance_in(request.user, slug, instance_id, Action.READ_LOGS)
    said, excuse = _said_by(instance)
    context = {
        "tenant": tenant,
        "instance": instance,
        "said": said,
        "excuse": excuse,
        "attempts": pods.attempts_with_pods(instance),
        # What runs is followed from here on; anything else is looked at now and then.
        "follows": (bool(said) or pods.is_running(instance))
        and not _is_known_over(request, instance),
        "poll": RESTING if instance.state in states.AT_REST else RUNNING,
    }
    part = "logs_live" if request.htmx else "logs"
    return render(request, f"web/tenant/{part}.html", context)


def _is_known_over(request: SignedInRequest, instance: Instance) -> bool:
    """Say whether whoever asks has followed this attempt to its end already."""
    return request.GET.get("over") == str(instance.attempt_no)


def project_names(tenant: Tenant) -> dict[int, str]:
    """Names of the tenant's projects by id; instances carry ids only."""
    return dict(Project.objects.filter(tenant=tenant).values_list("pk", "name"))


def _narrowed(rows: QuerySet[Instance], shown: str) -> QuerySet[Instance]:
    if shown == "all":
        return rows
    if shown == "ended":
        return rows.filter(state=State.TERMINATED)
    return rows.exclude(state=State.TERMINATED)


def _is_moving(instance: Instance) -> bool:
    return states.shown_as(instance.state, "instance").is_moving


def _told_about(instance: Instance) -> dict[str, object]:
    attempts = Attempt.objects.filter(instance=instance).select_related("cluster")
    launched = LaunchedInstance.objects.filter(instance=instance)
    return {
        "instance": instance,
        "project": Project.objects.filter(pk=instance.project_id).first(),
        "spending": spending_of(instance),
        "timeline": reversed(queries.timeline(instance)),
        "devices": queries.devices_of(instance),
        "freshness": freshness.of_instance(instance, at=timezone.now()),
        "attempt": attempts.order_by("-no").first(),
        "prospect": waiting.prospect_of(instance, at=timezone.now()),
        "substitutes": waiting.substitutes_of(instance, at=timezone.now()),
        "launched_by": launched.select_related("instance_request__submitted_by").first(),
        "warnings": inventory.warnings_of(instance, at=timezone.now()),
        "may_move": moving.can_move(instance),
        "is_at_rest": instance.state in states.AT_REST,
        "lease": ExtensionForm(initial={"lease": "24"}),
        "poll": _poll(instance),
    }


def _said_by(instance: Instance) -> tuple[str, str]:
    """The container's words, or why there are none."""
    try:
        return reading.read_logs(instance=instance, tail=LOG_LINES), ""
    except ProvisioningError as error:
        if instance.state in states.AT_REST:
            return "", _(
                "The logs went with the pod. What must stay belongs on storage of your own."
            )
        return "", refusals.in_words(error)


def _poll(instance: Instance) -> int:
    if _is_moving(instance):
        return MOVING
    return RESTING if instance.state in states.AT_REST else RUNNING
