"""One cluster: what was found of it, how it is reached, and what an operator does with it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from uuid import UUID

from django.forms.models import model_to_dict
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
    status_of,
)
from portal.web.forms.staff import CredentialsForm, GatewayForm, LossForm
from portal.web.pages.staff.clusters import nodes_of
from provisioning import clusters, draining, examining, freshness, gateways, losing, probing
from provisioning.models import Cluster, Instance
from provisioning.routes import Edge
from provisioning.states import Identity


@form_page
def show_cluster(request: SignedInRequest, name: str) -> HttpResponse:
    """Show one cluster; take other credentials for it."""
    is_replacing = request.method == "POST"
    require_staff(request.user, Action.MANAGE_CLUSTER if is_replacing else Action.VIEW_CLUSTER)
    cluster = get_object_or_404(Cluster, name=name)
    form = CredentialsForm(request.POST or None, request.FILES or None)

    def replace() -> None:
        chosen = form.cleaned_data["identity"]
        clusters.replace_kubeconfig(
            cluster=cluster,
            kubeconfig=form.cleaned_data["kubeconfig"],
            identity=Identity(chosen) if chosen else None,
            at=timezone.now(),
        )

    if is_replacing and is_accepted(form, replace):
        return redirect("web:clusters-one", name)
    at = timezone.now()
    own = set(cluster.credentials.values_list("identity", flat=True))
    guests = list(draining.instances_on(cluster)[:MOST_GUESTS])
    names = dict(
        Tenant.objects.filter(pk__in={guest.tenant_id for guest in guests}).values_list(
            "pk", "name"
        )
    )
    context = {
        "cluster": cluster,
        "findings": cluster.findings.all(),
        "identities": [(one.value, one.value in own) for one in Identity],
        "guests": [(guest, names.get(guest.tenant_id, "")) for guest in guests],
        "remains": draining.remains_on(cluster),
        "nodes": nodes_of(cluster),
        "exporters_asked": cluster.pools.exclude(exporter={}).count(),
        "freshness": freshness.of_cluster(cluster, at=at),
        "form": form,
        "gateway": gateways.gateway_of(cluster),
        "may_be_lost": losing.may_be_lost(cluster, at=at),
        "loss": cluster.losses.first(),
        "at": at,
    }
    return render(request, "web/staff/cluster.html", context, status=status_of(form))


MOST_GUESTS = 200


@form_page
def set_gateway(request: SignedInRequest, name: str) -> HttpResponse:
    """Name the gateway at the cluster's edge."""
    require_staff(request.user, Action.MANAGE_CLUSTER)
    cluster = get_object_or_404(Cluster, name=name)
    gateway = gateways.gateway_of(cluster)
    form = GatewayForm(request.POST or None, initial=model_to_dict(gateway) if gateway else None)

    def take() -> None:
        edge = Edge(**form.cleaned_data)
        gateways.set_gateway(cluster=cluster, edge=edge, by=request.user.email, at=timezone.now())

    if request.method == "POST" and is_accepted(form, take):
        return redirect("web:clusters-one", name)
    context = {"cluster": cluster, "form": form}
    return render(request, "web/staff/gateway.html", context, status=status_of(form))


@action
def remove_gateway(request: SignedInRequest, name: str) -> HttpResponse:
    """Have no ports routed any more."""
    done = _("The gateway was removed. Its routes are being taken away.")
    return _act(request, name, gateways.remove_gateway, done=done)


@action
def pause(request: SignedInRequest, name: str) -> HttpResponse:
    """Let no new pods onto a cluster."""
    done = _("The cluster takes no new pods. What runs there keeps running.")
    return _act(request, name, _pause, done=done)


@action
def resume(request: SignedInRequest, name: str) -> HttpResponse:
    """Let pods onto a cluster again."""
    done = _("The cluster takes new pods again.")
    return _act(request, name, clusters.resume_cluster, done=done)


@action
def drain(request: SignedInRequest, name: str) -> HttpResponse:
    """Begin to empty a cluster."""
    done = _("The cluster is being drained. Whoever runs there has been told.")
    return _act(request, name, draining.drain_cluster, done=done)


@action
def remove(request: SignedInRequest, name: str) -> HttpResponse:
    """Let an empty cluster go."""
    done = _("The cluster was removed. Its credentials are gone, its history stays.")
    return _act(request, name, draining.remove_cluster, done=done)


@action
def lose(request: SignedInRequest, name: str) -> HttpResponse:
    """Give a cluster up that will not answer any more."""
    form = LossForm(request.POST)
    given = form.cleaned_data if form.is_valid() else {"confirmation": "", "reason": ""}
    act = partial(losing.declare_lost, by=request.user.email, **given)
    done = _("The cluster is declared lost. Its instances are being placed elsewhere.")
    return _act(request, name, act, done=done)


@action
def probe(request: SignedInRequest, name: str) -> HttpResponse:
    """Ask a cluster what it is."""
    done = _("The cluster was asked.")
    return _act(request, name, probing.probe_cluster, done=done)


@action
def examine(request: SignedInRequest, name: str) -> HttpResponse:
    """Have a cluster examined with pods."""
    done = _("The cluster is being examined with pods of our own. It takes a minute or two.")
    return _act(request, name, examining.ask_for_examination, done=done)


@action
def move(request: SignedInRequest, name: str, instance_id: UUID) -> HttpResponse:
    """Move an instance to another cluster."""
    done = _("The instance is being moved. Its tenant has been told.")
    return _act_on_guest(request, name, instance_id, draining.move_off, done=done)


@action
def stop(request: SignedInRequest, name: str, instance_id: UUID) -> HttpResponse:
    """Stop an instance that stands in the way."""
    done = _("The instance is being stopped. Its tenant has been told.")
    return _act_on_guest(request, name, instance_id, draining.stop_on_cluster, done=done)


def _pause(*, cluster: Cluster, at: datetime) -> None:
    # Who is waiting goes on waiting, so no instant matters.
    clusters.pause_cluster(cluster=cluster)


def _act(
    request: SignedInRequest, name: str, act: Callable[..., object], *, done: str
) -> HttpResponse:
    require_staff(request.user, Action.MANAGE_CLUSTER)
    cluster = get_object_or_404(Cluster, name=name)
    to = reverse("web:clusters-one", args=[name])
    return attempt(request, lambda: act(cluster=cluster, at=timezone.now()), done=done, to=to)


def _act_on_guest(
    request: SignedInRequest,
    name: str,
    instance_id: UUID,
    act: Callable[..., None],
    *,
    done: str,
) -> HttpResponse:
    def act_on(*, cluster: Cluster, at: datetime) -> None:
        guest: Instance = get_object_or_404(draining.instances_on(cluster), pk=instance_id)
        act(instance=guest, at=at)

    return _act(request, name, act_on, done=done)
