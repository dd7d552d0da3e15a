"""The clusters of the farm: how they are, and adding one."""

from collections import defaultdict

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from portal.tenants.access import Action
from portal.tenants.scoping import require_staff
from portal.web.answering import SignedInRequest, form_page, is_accepted, status_of
from portal.web.forms.staff import ClusterForm
from provisioning import clusters, freshness, queries
from provisioning.models import Cluster, ClusterState, Node, Verdict
from provisioning.queries import FamilyCapacity


@form_page
def show_clusters(request: SignedInRequest) -> HttpResponse:
    """Show every cluster with its nodes and pools; add one."""
    is_adding = request.method == "POST"
    require_staff(request.user, Action.MANAGE_CLUSTER if is_adding else Action.VIEW_CLUSTER)
    form = ClusterForm(request.POST or None, request.FILES or None)

    def add() -> None:
        clusters.admit_cluster(
            name=form.cleaned_data["name"],
            kubeconfig=form.cleaned_data["kubeconfig"],
            others=form.others(),
            at=timezone.now(),
        )

    if is_adding and is_accepted(form, add):
        return redirect("web:clusters-one", form.cleaned_data["name"])
    at = timezone.now()
    pools: defaultdict[str, list[FamilyCapacity]] = defaultdict(list)
    for pool in queries.capacity(at=at):
        pools[pool.cluster_name].append(pool)
    known = Cluster.objects.exclude(state=ClusterState.REMOVED).prefetch_related("findings")
    context = {
        "clusters": [
            {
                "cluster": one,
                "pools": pools[one.name],
                "nodes": nodes_of(one),
                "freshness": freshness.of_cluster(one, at=at),
                "failed": sum(found.verdict == Verdict.FAILED for found in one.findings.all()),
            }
            for one in known
        ],
        "removed": Cluster.objects.filter(state=ClusterState.REMOVED),
        "form": form,
        "at": at,
    }
    return render(request, "web/staff/clusters.html", context, status=status_of(form))


def nodes_of(cluster: Cluster) -> dict[str, int]:
    """Count the nodes that are there, and those that take pods."""
    present = Node.objects.filter(cluster=cluster, gone_at__isnull=True)
    ready = present.filter(is_ready=True, is_schedulable=True)
    return {"present": present.count(), "ready": ready.count()}
