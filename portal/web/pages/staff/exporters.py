"""Where a cluster's exporters are asked: shown, proposed, set and given up."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.tenants.access import Action
from portal.tenants.scoping import require_staff
from portal.web import refusals
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    status_of,
)
from portal.web.forms.exporters import ExporterForm
from provisioning import pointing
from provisioning.errors import ProvisioningError
from provisioning.models import Cluster, Pool
from provisioning.pointing import Proposal


@form_page
def show_exporters(request: SignedInRequest, name: str) -> HttpResponse:
    """Show where each pool's exporter is asked, and with `find` where it might be; set it."""
    is_setting = request.method == "POST"
    is_finding = "find" in request.GET
    is_managing = is_setting or is_finding
    require_staff(request.user, Action.MANAGE_CLUSTER if is_managing else Action.VIEW_CLUSTER)
    cluster = get_object_or_404(Cluster, name=name)
    form = ExporterForm(request.POST or None, cluster=cluster)
    if is_setting and is_accepted(form, lambda: pointing.point_pool(**form.cleaned_data)):
        messages.success(request, _("The exporter is asked from now on."))
        return redirect("web:clusters-exporters", name)
    pools = list(pointing.pools_of(cluster))
    context = {
        "cluster": cluster,
        "pools": pools,
        "is_finding": is_finding,
        "proposals": _proposals(request, pools) if is_finding else [],
        "form": form,
        "at": timezone.now(),
    }
    return render(request, "web/staff/exporters.html", context, status=status_of(form))


@action
def forget(request: SignedInRequest, name: str, pool_id: int) -> HttpResponse:
    """Ask a pool's exporter no more."""
    require_staff(request.user, Action.MANAGE_CLUSTER)
    pool = get_object_or_404(Pool, pk=pool_id, cluster__name=name)
    return attempt(
        request,
        lambda: pointing.unpoint_pool(pool=pool, at=timezone.now()),
        done=_("The exporter is asked no more."),
        to=reverse("web:clusters-exporters", args=[name]),
    )


def _proposals(request: SignedInRequest, pools: list[Pool]) -> list[tuple[Pool, Proposal]]:
    try:
        return [(pool, one) for pool in pools for one in pointing.find_exporters(pool=pool)]
    except ProvisioningError as refusal:
        messages.error(request, refusals.in_words(refusal))
        return []
