"""The clusters of the farm: how they are, adding one, pausing and resuming."""

from collections import defaultdict

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.tenants.access import Action
from portal.tenants.scoping import require_staff
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    status_of,
)
from portal.web.forms.staff import ClusterForm
from provisioning import clusters, queries
from provisioning.models import Cluster, ClusterState, Node
from provisioning.queries import FamilyCapacity


@form_page
def show_clusters(request: SignedInRequest) -> HttpResponse:
    """Show every cluster with its nodes and pools; add one."""
    is_adding = request.method == "POST"
    require_staff(request.user, Action.MANAGE_CLUSTER if is_adding else Action.VIEW_CLUSTER)
    form = ClusterForm(request.POST or None, request.FILES or None)

    def add() -> None:
        clusters.admit_cluster(**form.cleaned_data, at=timezone.now())

    if is_adding and is_accepted(form, add):
        return redirect("web:clusters")
    at = timezone.now()
    pools: defaultdict[str, list[FamilyCapacity]] = defaultdict(list)
    for pool in queries.capacity(at=at):
        pools[pool.cluster_name].append(pool)
    known = Cluster.objects.exclude(state=ClusterState.REMOVED)
    context = {
        "clusters": [(one, pools[one.name], _nodes(one)) for one in known],
        "form": form,
        "at": at,
    }
    return render(request, "web/staff/clusters.html", context, status=status_of(form))


@action
def pause(request: SignedInRequest, name: str) -> HttpResponse:
    """Let no new pods onto a cluster."""
    require_staff(request.user, Action.MANAGE_CLUSTER)
    cluster = get_object_or_404(Cluster, name=name)
    return attempt(
        request,
        lambda: clusters.pause_cluster(cluster=cluster),
        done=_("The cluster takes no new pods. What runs there keeps running."),
        to=reverse("web:clusters"),
    )


@action
def resume(request: SignedInRequest, name: str) -> HttpResponse:
    """Let pods onto a cluster again."""
    require_staff(request.user, Action.MANAGE_CLUSTER)
    cluster = get_object_or_404(Cluster, name=name)
    return attempt(
        request,
        lambda: clusters.resume_cluster(cluster=cluster),
        done=_("The cluster takes new pods again."),
        to=reverse("web:clusters"),
    )


def _nodes(cluster: Cluster) -> dict[str, int]:
    present = Node.objects.filter(cluster=cluster, gone_at__isnull=True)
    ready = present.filter(is_ready=True, is_schedulable=True)
    return {"present": present.count(), "ready": ready.count()}
