"""Volumes of a tenant: what there is and who uses it, creating, growing and deleting one."""

from collections import defaultdict
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.requests import storing
from portal.tenants.access import Action
from portal.tenants.models import Tenant
from portal.tenants.scoping import projects_of, tenant_for, volumes_of
from portal.web import states
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    status_of,
)
from portal.web.forms.volumes import GrowthForm, VolumeForm
from portal.web.reaching import projects_in, volume_in
from provisioning import attaching
from provisioning.errors import IllegalVolume
from provisioning.models import Cluster, ClusterState, InstanceVolume, Volume
from provisioning.states import VolumeState

MOVING, RESTING = 3, 30


@form_page
def show_volumes(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the volumes with who uses them; create one."""
    tenant = tenant_for(request.user, slug)
    if request.method == "POST":
        projects_in(request.user, tenant, Action.MANAGE_VOLUME)
    projects = projects_of(request.user, Action.MANAGE_VOLUME).filter(tenant=tenant)
    form = VolumeForm(
        request.POST or None,
        projects=projects.order_by("name"),
        clusters=Cluster.objects.filter(state=ClusterState.ACTIVE),
    )

    def create() -> None:
        given = {**form.cleaned_data, "cluster_name": form.cleaned_data["cluster"].name}
        del given["cluster"]
        storing.create_volume(**given, at=timezone.now())

    if request.method == "POST" and is_accepted(form, create):
        return redirect("web:volumes", slug=slug)
    context = {"tenant": tenant, "form": form, **_told(request, tenant)}
    part = "volumes_live" if request.htmx else "volumes"
    return render(request, f"web/tenant/{part}.html", context, status=status_of(form))


@action
def grow(request: SignedInRequest, slug: str, volume_id: UUID) -> HttpResponse:
    """Wish for more room."""
    _tenant, volume = volume_in(request.user, slug, volume_id, Action.MANAGE_VOLUME)
    form = GrowthForm(request.POST)

    def wish() -> None:
        if not form.is_valid():
            raise IllegalVolume(_("Say how large it is to be."))
        storing.grow_volume(volume=volume, **form.cleaned_data, at=timezone.now())

    return attempt(request, wish, done=_("The volume grows."), to=_list(slug))


@action
def delete(request: SignedInRequest, slug: str, volume_id: UUID) -> HttpResponse:
    """Wish that it goes for good."""
    _tenant, volume = volume_in(request.user, slug, volume_id, Action.MANAGE_VOLUME)
    return attempt(
        request,
        lambda: storing.delete_volume(volume=volume, at=timezone.now()),
        done=_("The volume is being deleted."),
        to=_list(slug),
    )


def _told(request: SignedInRequest, tenant: Tenant) -> dict[str, object]:
    rows = _present(volumes_of(request.user).filter(tenant_id=tenant.pk))
    shown = [states.shown_as(volume.state, "volume") for volume in rows]
    # One project is enough to see the tenant, and no more of it than that project.
    projects = projects_of(request.user, Action.VIEW_VOLUME).filter(tenant=tenant)
    names = dict(projects.order_by("name").values_list("pk", "name"))
    users: defaultdict[UUID, list[InstanceVolume]] = defaultdict(list)
    for mount in attaching.users_of(*rows):
        users[mount.volume_id].append(mount)
    return {
        "volumes": [{"volume": volume, "users": users[volume.pk]} for volume in rows],
        "projects": names,
        "rooms": [(names[pk], *room) for pk, room in storing.rooms_of(names).items()],
        "poll": MOVING if any(one.is_moving for one in shown) else RESTING,
    }


def _present(rows: QuerySet[Volume]) -> list[Volume]:
    return list(rows.exclude(Q(state=VolumeState.DELETED)).order_by("-created_at"))


def _list(slug: str) -> str:
    return reverse("web:volumes", args=[slug])
