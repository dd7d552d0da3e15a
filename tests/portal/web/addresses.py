"""Every page of the portal: who may use it, with which of Alice's things, and what it takes.

The tables name each address once; a test holds them against the URL map, so that a new
page without an entry fails.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from django.urls import reverse

from provisioning import exposing
from provisioning.models import Cluster
from tests.factories import portal as factory
from tests.factories import provisioning as provisioning_factory
from tests.factories.portal import NOON
from tests.portal.web.world import World
from tests.provisioning import quiet

Words = dict[str, object]


@dataclass(frozen=True)
class Address:
    """One page or action behind sign-in."""

    name: str
    who: str = "alice"
    verb: str = "get"
    kwargs: Callable[[World], Words] = field(default=lambda world: {})
    data: Callable[[World], Words] = field(default=lambda world: {})
    # Actions go elsewhere when they are done; pages answer themselves.
    status: int = 200
    # The tenant is not in the address: whoever has the thing's id may have it from anywhere.
    is_below_tenant: bool = True
    # It gets in and is told no: the cluster that has to be asked is not there.
    is_refused: bool = False

    def url(self, world: World) -> str:
        return reverse(f"web:{self.name}", kwargs=self.kwargs(world))


def _slug(world: World) -> Words:
    return {"slug": world.tenant.slug}


def _instance(world: World) -> Words:
    return {**_slug(world), "instance_id": world.instance.pk}


def _wish(world: World) -> Words:
    return {**_slug(world), "quota_request_id": world.quota_request.pk}


def _held(world: World) -> Words:
    return {**_slug(world), "instance_request_id": world.held_request.pk}


def _member(world: World) -> Words:
    return {**_slug(world), "membership_id": world.colleague.pk}


def _invoice(world: World) -> Words:
    return {**_slug(world), "invoice_id": world.invoice.pk}


def _account(world: World) -> Words:
    return {"account_id": world.account.pk}


def _cluster(world: World) -> Words:
    provisioning_factory.add_cluster(name="east")
    return {"name": "east"}


def _silent_cluster(world: World) -> Words:
    cluster = provisioning_factory.add_cluster(name="east")
    Cluster.objects.filter(pk=cluster.pk).update(added_at=cluster.added_at - timedelta(days=90))
    return {"name": "east"}


def _empty_cluster(world: World) -> Words:
    cluster = provisioning_factory.add_cluster(name="east", server=quiet.url())
    Cluster.objects.filter(pk=cluster.pk).update(state="draining")
    return {"name": "east"}


def _guest(world: World) -> Words:
    cluster = provisioning_factory.add_cluster(name="east")
    Cluster.objects.filter(pk=cluster.pk).update(state="draining")
    provisioning_factory.put_on(world.instance, cluster)
    return {"name": "east", "instance_id": world.instance.pk}


def _node(world: World) -> Words:
    return {"node_id": world.node.pk}


def _device(world: World) -> Words:
    return {"device_id": world.device.pk}


def _window(world: World) -> Words:
    return {"window_id": world.window.pk}


def _letter(world: World) -> Words:
    return {"letter_id": provisioning_factory.dead_letter(world.instance).pk}


def _alarm(world: World) -> Words:
    cluster = provisioning_factory.add_cluster(name="south")
    return {"alarm_id": provisioning_factory.alarm(cluster).pk}


def _pool(world: World) -> Words:
    return {"name": world.node.cluster.name, "pool_id": world.device.pool_id}


def _why(world: World) -> Words:
    return {"reason": "Looked at."}


def _releasing(world: World) -> Words:
    cluster = Cluster.objects.get(name="south")
    return {**_why(world), "uids": [str(provisioning_factory.orphan(cluster).uid)]}


def _rate(world: World) -> Words:
    return {"rate_id": world.rate.pk}


def _decision(world: World) -> Words:
    return {"quota_request_id": world.quota_request.pk}


def _held_decision(world: World) -> Words:
    return {"instance_request_id": world.held_request.pk}


def _port(world: World) -> Words:
    exposing.open_port(instance=world.instance, port=8888, by="alice@example.com", at=NOON)
    return {**_instance(world), "port": 8888}


def _entrance(world: World) -> Words:
    _port(world)
    factory.run_in_pod(world.instance, cluster=provisioning_factory.add_cluster(name="east"))
    return {"instance_id": world.instance.pk, "port": 8888}


def _ended(world: World) -> Words:
    factory.end_launch(world.instance)
    return _instance(world)


PUBLIC = {"landing", "preferences"}
# Behind sign-in, and the same for everybody who is signed in.
PERSONAL = {"start", "notices", "notices-bell", "notices-read-all"}


def _volume(world: World) -> Words:
    return {**_slug(world), "volume_id": world.volume.pk}


PAGES = [
    *(
        Address(name, kwargs=_slug)
        for name in (
            "dashboard", "catalogue", "instances", "instances-new", "instances-estimate",
            "quota", "quota-new", "usage", "invoices", "projects", "members", "volumes",
            "registries",
        )
    ),
    Address("instances-one", kwargs=_instance),
    Address("instances-logs", kwargs=_instance),
    Address("instances-logs-follow", kwargs=_instance),
    Address("instances-terminal", kwargs=_instance),
    Address("instances-access", kwargs=_instance),
    Address("access-port", kwargs=_entrance, status=302, is_below_tenant=False),
    Address("instances-request", kwargs=_held),
    Address("invoices-one", kwargs=_invoice),
    Address("invoices-file", kwargs=lambda world: {**_invoice(world), "form": "csv"}),
    Address("approvals", who="bob"),
    Address("approvals-quota", who="bob", kwargs=_decision),
    Address("approvals-instances", who="bob", kwargs=_held_decision),
    Address("clusters", who="erin"),
    Address("trouble", who="erin"),
    Address("inventory", who="erin"),
    Address("inventory-node", who="erin", kwargs=_node),
    Address("images", who="erin"),
    Address("maintenance", who="erin"),
    Address("maintenance-preview", who="erin"),
    Address("clusters-one", who="erin", kwargs=_cluster),
    Address("clusters-exporters", who="erin", kwargs=_cluster),
    Address("billing", who="dana"),
    Address("billing-account", who="dana", kwargs=_account),
    Address("prices", who="dana"),
]  # fmt: skip

ACTIONS = [
    Address(
        "volumes-grow", verb="post", kwargs=_volume, data=lambda _: {"size_gib": 20}, status=302,
        is_refused=True,
    ),
    Address("volumes-delete", verb="post", kwargs=_volume, status=302),
    Address(
        "images-withdraw", who="erin", verb="post", status=302,
        kwargs=lambda w: {"image_id": w.allowed.pk},
    ),
    Address(
        "registries-remove", verb="post", status=302,
        kwargs=lambda w: {**_slug(w), "login_id": w.login.pk},
    ),
    Address("instances-stop", verb="post", kwargs=_instance, status=302),
    Address("instances-start", verb="post", kwargs=_ended, status=302),
    Address("instances-terminate", verb="post", kwargs=_instance, status=302),
    Address(
        "instances-lease", verb="post", kwargs=_instance, data=lambda _: {"lease": "24"}, status=302
    ),
    Address(
        "instances-ports-open", verb="post", kwargs=_instance, data=lambda _: {"port": 8888},
        status=302,
    ),
    Address("instances-ports-close", verb="post", kwargs=_port, status=302),
    Address("instances-withdraw", verb="post", kwargs=_held, status=302),
    Address("quota-withdraw", verb="post", kwargs=_wish, status=302),
    Address(
        "members-role", verb="post", kwargs=_member, data=lambda _: {"role": "viewer"}, status=302
    ),
    Address("members-remove", verb="post", kwargs=_member, status=302),
    Address(
        "approvals-quota-reject", who="bob", verb="post", kwargs=_decision,
        data=lambda _: {"reason": "Too many."}, status=302,
    ),
    Address(
        "approvals-instances-approve", who="bob", verb="post", kwargs=_held_decision, status=302
    ),
    Address(
        "approvals-instances-reject", who="bob", verb="post", kwargs=_held_decision,
        data=lambda _: {"reason": "Not now."}, status=302,
    ),
    Address("trouble-retry", who="erin", verb="post", kwargs=_letter, data=_why, status=302),
    Address("trouble-close", who="erin", verb="post", kwargs=_letter, data=_why, status=302),
    Address("trouble-alarm", who="erin", verb="post", kwargs=_alarm, data=_why, status=302),
    Address(
        "trouble-release", who="erin", verb="post", kwargs=_alarm, data=_releasing, status=302
    ),
    Address(
        "inventory-node-stop", who="erin", verb="post", kwargs=_node, data=_why, status=302
    ),
    Address("inventory-node-resume", who="erin", verb="post", kwargs=_node, status=302),
    Address(
        "inventory-device-stop", who="erin", verb="post", kwargs=_device, data=_why, status=302
    ),
    Address("inventory-device-resume", who="erin", verb="post", kwargs=_device, status=302),
    Address("maintenance-cancel", who="erin", verb="post", kwargs=_window, status=302),
    Address("instances-move", verb="post", kwargs=_instance, status=302, is_refused=True),
    Address(
        "notices-read", verb="post", status=302, is_below_tenant=False,
        kwargs=lambda world: {"notice_id": world.notice.pk},
    ),
    Address("clusters-exporters-forget", who="erin", verb="post", kwargs=_pool, status=302),
    Address("clusters-pause", who="erin", verb="post", kwargs=_cluster, status=302),
    Address("clusters-resume", who="erin", verb="post", kwargs=_cluster, status=302),
    Address("clusters-drain", who="erin", verb="post", kwargs=_cluster, status=302),
    Address("clusters-remove", who="erin", verb="post", kwargs=_empty_cluster, status=302),
    Address(
        "clusters-lose", who="erin", verb="post", kwargs=_silent_cluster, status=302,
        data=lambda _: {"confirmation": "east", "reason": "The hall has burned."},
    ),
    Address("clusters-probe", who="erin", verb="post", kwargs=_empty_cluster, status=302),
    Address("clusters-gateway", who="erin", kwargs=_cluster),
    Address("clusters-gateway-remove", who="erin", verb="post", kwargs=_cluster, status=302),
    Address("clusters-examine", who="erin", verb="post", kwargs=_cluster, status=302),
    Address("clusters-move", who="erin", verb="post", kwargs=_guest, status=302),
    Address("clusters-stop", who="erin", verb="post", kwargs=_guest, status=302),
    Address("billing-cut", who="dana", verb="post", kwargs=_account, status=302),
    Address(
        "billing-draft", who="dana", verb="post", status=302,
        kwargs=lambda world: {**_account(world), "period_id": world.used_period.pk},
    ),
    Address(
        "billing-close", who="dana", verb="post", status=302,
        kwargs=lambda world: {**_account(world), "period_id": world.empty_period.pk},
    ),
    Address(
        "billing-issue", who="dana", verb="post",
        kwargs=lambda world: {"invoice_id": world.draft.pk}, status=302,
    ),
    Address(
        "prices-follow", who="dana", verb="post", kwargs=_rate,
        data=lambda _: {"hourly_rate": "4000", "valid_from": "2099-01-01T00:00"}, status=302,
    ),
]  # fmt: skip
