"""Nodes and devices: how they are, who holds what since when, and taking them out of sale."""

from collections.abc import Callable, Iterable
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.tenants.access import Action
from portal.tenants.models import Tenant
from portal.tenants.scoping import require_staff
from portal.web.answering import SignedInRequest, action, attempt, page
from provisioning import freshness, inventory, selling, warning
from provisioning.inventory import NodeView
from provisioning.models import Cluster, Device, Family, Instance, Node


@page
def show_inventory(request: SignedInRequest) -> HttpResponse:
    """Show every node with its pools, narrowed as the address says."""
    require_staff(request.user, Action.VIEW_CLUSTER)
    at = timezone.now()
    show, cluster = request.GET.get("show", "all"), request.GET.get("cluster", "")
    known = Cluster.objects.exclude(state="removed").values_list("name", flat=True)
    nodes = inventory.troubled_nodes() if show == "trouble" else inventory.present_nodes()
    if cluster:
        nodes = nodes.filter(cluster__name=cluster) if cluster in known else nodes.none()
    views = inventory.looked_at(nodes, at=at)
    context = {
        "by_cluster": _by_cluster(views, at),
        "clusters": known,
        "shown": show,
        "chosen": cluster,
        "families": Family.objects.select_related("vendor").order_by("vendor__name", "name"),
        "unsold": warning.open_warnings(),
    }
    return render(request, "web/staff/inventory.html", context)


@page
def show_node(request: SignedInRequest, node_id: int) -> HttpResponse:
    """Show one node: its devices, their holders, its past, and what is left on it."""
    require_staff(request.user, Action.VIEW_CLUSTER)
    node = get_object_or_404(Node.objects.select_related("cluster"), pk=node_id)
    at = timezone.now()
    view = inventory.looked_at([node], at=at)[0]
    guests = inventory.guests_of(node)
    holders = [held.holder for held in view.devices if held.holder]
    context = {
        "view": view,
        "guests": guests,
        "tenants": _tenants([*holders, *(guest for guest, _until in guests)]),
        "outages": node.outages.select_related("device").order_by("-started_at")[:20],
        "warnings": warning.open_warnings(node=node),
        "freshness": freshness.of_cluster(node.cluster, at=at),
    }
    return render(request, "web/staff/node.html", context)


@action
def stop_node(request: SignedInRequest, node_id: int) -> HttpResponse:
    """Take a node out of sale."""
    reason, by = request.POST.get("reason", ""), request.user.email
    return _on_node(
        request,
        node_id,
        lambda node: selling.stop_node(node=node, reason=reason, by=by, at=timezone.now()),
        done=_("The node takes nothing new. It is empty when the last lease on it ends."),
    )


@action
def resume_node(request: SignedInRequest, node_id: int) -> HttpResponse:
    """Sell a node again."""
    return _on_node(
        request,
        node_id,
        lambda node: selling.resume_node(node=node, at=timezone.now()),
        done=_("The node is for sale again."),
    )


@action
def stop_device(request: SignedInRequest, device_id: int) -> HttpResponse:
    """Take a device out of sale."""
    reason, by = request.POST.get("reason", ""), request.user.email
    return _on_device(
        request,
        device_id,
        lambda device: selling.stop_device(device=device, reason=reason, by=by, at=timezone.now()),
        done=_("One device fewer is sold on this node."),
    )


@action
def resume_device(request: SignedInRequest, device_id: int) -> HttpResponse:
    """Sell a device again."""
    return _on_device(
        request,
        device_id,
        lambda device: selling.resume_device(device=device, at=timezone.now()),
        done=_("The device is for sale again."),
    )


def _on_node(
    request: SignedInRequest, node_id: int, act: Callable[[Node], None], *, done: str
) -> HttpResponse:
    require_staff(request.user, Action.MANAGE_CLUSTER)
    node = get_object_or_404(Node, pk=node_id)
    to = reverse("web:inventory-node", args=[node.pk])
    return attempt(request, lambda: act(node), done=done, to=to)


def _on_device(
    request: SignedInRequest, device_id: int, act: Callable[[Device], None], *, done: str
) -> HttpResponse:
    require_staff(request.user, Action.MANAGE_CLUSTER)
    device = get_object_or_404(Device.objects.select_related("pool"), pk=device_id)
    to = reverse("web:inventory-node", args=[device.node_id])
    return attempt(request, lambda: act(device), done=done, to=to)


def _by_cluster(
    views: Iterable[NodeView], at: datetime
) -> list[tuple[Cluster, freshness.Freshness, list[NodeView]]]:
    found: dict[int, tuple[Cluster, freshness.Freshness, list[NodeView]]] = {}
    for view in views:
        cluster = view.node.cluster
        fresh = freshness.of_cluster(cluster, at=at)
        found.setdefault(cluster.pk, (cluster, fresh, []))[2].append(view)
    return list(found.values())


def _tenants(instances: Iterable[Instance]) -> dict[int, str]:
    ids = {instance.tenant_id for instance in instances}
    return dict(Tenant.objects.filter(pk__in=ids).values_list("pk", "name"))
