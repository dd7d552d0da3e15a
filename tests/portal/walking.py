"""The stranger walk's map: every operation of the API, and whose it is.

A `Step` says who does it first, with which real objects of Alice's, and what Charlie, from
another tenant, meets when he tries the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from functools import cached_property
from typing import Any

from billing.models import PriceBook
from portal.quotas.models import Quota
from portal.tenants import issuing, joining
from portal.tenants.access import Role
from portal.tenants.models import ApiToken, ProjectMembership
from provisioning import exposing
from provisioning.models import Cluster
from tests.factories import portal as factory
from tests.factories import provisioning as provisioning_factory
from tests.factories.portal import AFTERNOON, NOON, TOMORROW
from tests.portal.web.world import World

Words = dict[str, Any]


class Meets(Enum):
    """What a stranger meets."""

    NOTHING = auto()  # 404: as if it did not exist
    NONE_OF_HERS = auto()  # an answer, without anything of Alice's
    THE_SAME = auto()  # what everybody who is signed in may do: it is nobody's


@dataclass(frozen=True)
class AliceWorld(World):
    """Whatever of Alice's the API can name, besides what her pages show."""

    @property
    def marks(self) -> set[str]:
        """What gives Alice away wherever it is printed."""
        names = {self.tenant.slug, self.tenant.name, "alice@example.com", "detector"}
        return names | {
            str(self.instance.pk),
            str(self.quota_request.pk),
            "datasets",
            "harbor-robot",
        }

    @property
    def quota(self) -> Quota:
        return Quota.objects.get(project=self.project)

    @cached_property
    def cluster(self) -> Cluster:
        return provisioning_factory.add_cluster(name="east")

    @cached_property
    def token(self) -> ApiToken:
        return issuing.issue_token(
            user=self.people["alice"], name="laptop", expires_at=TOMORROW, at=NOON
        )[0]

    @cached_property
    def guest(self) -> ProjectMembership:
        heidi = factory.make_user("Heidi")
        return joining.add_project_member(
            project=self.project, email=heidi.email, role=Role.VIEWER, at=NOON
        )

    @property
    def book(self) -> PriceBook:
        return PriceBook.objects.get()

    @property
    def newcomer(self) -> str:
        """Somebody who has signed up and belongs nowhere."""
        return factory.make_user("Ivan").email


@dataclass(frozen=True)
class Step:
    """One operation of the API."""

    verb: str
    path: str
    who: str = "alice"
    key: Callable[[AliceWorld], object] | None = None
    asked: Callable[[AliceWorld], Words] = field(default=lambda world: {})
    body: Callable[[AliceWorld], Words] = field(default=lambda world: {})
    status: int = 200
    stranger: Meets = Meets.NOTHING

    @property
    def name(self) -> str:
        return f"{self.verb} {self.path}"

    def address(self, world: AliceWorld) -> str:
        key = "" if self.key is None else str(self.key(world))
        path = self.path.replace("{id}", key).replace("{slug}", key)
        return "/api/v1" + path.replace("{port}", "8888")


def _wish(world: AliceWorld) -> Words:
    return {"project": world.project.pk, "instance_type": "rngd-1", "image": "rngd-workspace"}


def _time(world: AliceWorld) -> Words:
    return {"tenant": world.tenant.slug, "since": NOON - timedelta(days=1)}


def _used(world: AliceWorld) -> Words:
    factory.use(world.instance)
    return _time(world)


def _with_port(world: AliceWorld) -> object:
    exposing.open_port(instance=world.instance, port=8888, by="alice@example.com", at=NOON)
    return world.instance.pk


def _ended(world: AliceWorld) -> object:
    return factory.end_launch(world.instance).pk


def _mine(path: str, **words: Any) -> Step:
    return Step("get", path, stranger=Meets.NONE_OF_HERS, **words)


def _staffs(path: str, who: str) -> Step:
    return Step("get", path, who=who)


def _open(path: str, **words: Any) -> Step:
    return Step("get", path, stranger=Meets.THE_SAME, **words)


def having(*rows: object) -> dict[str, str]:
    """Ask for nothing in particular, once these rows are there to be listed."""
    return {}


VOLUMES = [
    _mine("/volumes", asked=lambda w: having(w.volume)),
    Step("get", "/volumes/{id}", key=lambda w: w.volume.pk),
    Step(
        "post", "/volumes", status=201,
        body=lambda w: {
            "project": w.project.pk, "cluster": w.cluster.name, "name": "models", "size_gib": 5,
        },
    ),
    # Its cluster does not answer: whether storage can grow is its to say.
    Step(
        "post", "/volumes/{id}/grow", key=lambda w: w.volume.pk, body=lambda w: {"size_gib": 20},
        status=503,
    ),
    Step(
        "post", "/volumes/{id}/expire", key=lambda w: w.volume.pk,
        body=lambda w: {"expires_at": None},
    ),
    Step("post", "/volumes/{id}/delete", key=lambda w: w.volume.pk, status=202),
    _mine("/tenant-images", asked=lambda w: having(w.allowed)),
    Step(
        "post", "/tenant-images", who="erin", status=201,
        body=lambda w: {"tenant": w.tenant.slug, "pattern": "registry.example/hers/*"},
    ),
    Step(
        "post", "/tenant-images/{id}/withdraw", who="erin", key=lambda w: w.allowed.pk, status=204
    ),
    _mine("/registry-logins", asked=lambda w: having(w.login)),
    Step(
        "post", "/registry-logins", status=201,
        body=lambda w: {
            "tenant": w.tenant.slug, "host": "r.example", "username": "robot",
            "password": "hunter2",
        },
    ),
    Step("post", "/registry-logins/{id}/remove", key=lambda w: w.login.pk, status=204),
]  # fmt: skip

PEOPLE = [
    _open("/me"),
    _mine("/tenants"),
    Step("get", "/tenants/{slug}", key=lambda w: w.tenant.slug),
    Step("post", "/tenants", body=lambda w: {"name": "New"}, status=201, stranger=Meets.THE_SAME),
    _mine("/projects"),
    Step("get", "/projects/{id}", key=lambda w: w.project.pk),
    Step(
        "post", "/projects", status=201, body=lambda w: {"tenant": w.tenant.slug, "name": "Night"}
    ),
    _mine("/members"),
    Step(
        "post", "/members", status=201,
        body=lambda w: {"tenant": w.tenant.slug, "email": w.newcomer, "role": "member"},
    ),
    Step("patch", "/members/{id}", key=lambda w: w.colleague.pk, body=lambda w: {"role": "viewer"}),
    Step("delete", "/members/{id}", key=lambda w: w.colleague.pk, status=204),
    _mine("/project-members", asked=lambda w: {"project": w.guest.project_id}),
    Step(
        "post", "/project-members", status=201,
        body=lambda w: {"project": w.project.pk, "email": w.newcomer, "role": "viewer"},
    ),
    Step("delete", "/project-members/{id}", key=lambda w: w.guest.pk, status=204),
    _mine("/tokens"),
    Step(
        "post", "/tokens", status=201,
        body=lambda w: {"tenant": w.tenant.slug, "name": "CI", "expires_at": TOMORROW},
    ),
    Step("delete", "/tokens/{id}", key=lambda w: w.token.pk, status=204),
]  # fmt: skip

CATALOGUE = [
    _open("/capacity"),
    _open("/images"),
    _open("/instance-types"),
    _open("/instance-types/{slug}", key=lambda w: "rngd-1"),
    Step(
        "get", "/instance-types/{slug}/estimate",
        key=lambda w: "rngd-1", asked=lambda w: {"tenant": w.tenant.slug},
    ),
]  # fmt: skip

REQUESTS = [
    _mine("/quotas"),
    Step("get", "/quotas/{id}", key=lambda w: w.quota.pk),
    Step("get", "/quotas/{id}/entries", key=lambda w: w.quota.pk),
    _mine("/quota-requests"),
    Step("get", "/quota-requests/{id}", key=lambda w: w.quota_request.pk),
    Step(
        "post", "/quota-requests", status=201,
        body=lambda w: {
            "project": w.project.pk, "family": "rngd", "devices": 2, "justification": "More"
        },
    ),
    Step("post", "/quota-requests/{id}/approve", who="bob", key=lambda w: w.quota_request.pk),
    Step(
        "post", "/quota-requests/{id}/reject", who="bob", key=lambda w: w.quota_request.pk,
        body=lambda w: {"reason": "Not now."},
    ),
    Step("post", "/quota-requests/{id}/withdraw", key=lambda w: w.quota_request.pk),
    _mine("/instance-requests"),
    Step("get", "/instance-requests/{id}", key=lambda w: w.held_request.pk),
    Step("post", "/instance-requests", body=_wish, status=201),
    Step("post", "/instance-requests/{id}/approve", who="bob", key=lambda w: w.held_request.pk),
    Step(
        "post", "/instance-requests/{id}/reject", who="bob", key=lambda w: w.held_request.pk,
        body=lambda w: {"reason": "Not now."},
    ),
    Step("post", "/instance-requests/{id}/withdraw", key=lambda w: w.held_request.pk),
]  # fmt: skip

INSTANCES = [
    _mine("/instances"),
    Step("get", "/instances/{id}", key=lambda w: w.instance.pk),
    Step("get", "/instances/{id}/timeline", key=lambda w: w.instance.pk),
    Step("get", "/instances/{id}/attempts", key=lambda w: w.instance.pk),
    Step("get", "/instances/{id}/devices", key=lambda w: w.instance.pk),
    # Nothing runs here, and she is told so.
    Step("get", "/instances/{id}/logs", key=lambda w: w.instance.pk, status=409),
    Step("get", "/instances/{id}/events", key=lambda w: w.instance.pk, status=409),
    # A stream always begins; what there is to say of the log is said in it.
    Step("get", "/instances/{id}/logs/follow", key=lambda w: w.instance.pk),
    Step("get", "/instances/{id}/ports", key=lambda w: w.instance.pk),
    Step(
        "post", "/instances/{id}/ports", key=lambda w: w.instance.pk, status=201,
        body=lambda w: {"port": 8888},
    ),
    Step("delete", "/instances/{id}/ports/{port}", key=_with_port, status=204),
    Step("get", "/instances/{id}/visits", key=lambda w: w.instance.pk),
    Step("post", "/instances/{id}/stop", key=lambda w: w.instance.pk, status=202),
    Step("post", "/instances/{id}/start", key=_ended, status=202),
    Step("post", "/instances/{id}/terminate", key=lambda w: w.instance.pk, status=202),
    # It waits for a place, so there is nothing that could move.
    Step("post", "/instances/{id}/move", key=lambda w: w.instance.pk, status=409),
    Step(
        "post", "/instances/{id}/extend", key=lambda w: w.instance.pk,
        body=lambda w: {"ends_at": TOMORROW + timedelta(days=1)},
    ),
]  # fmt: skip

MONEY = [
    Step("get", "/usage", asked=_used),
    Step("get", "/usage/provisional-total", asked=_used),
    _mine("/accounts"),
    Step("get", "/accounts/{id}", key=lambda w: w.account.pk),
    _mine("/invoices", asked=lambda w: {"account": w.invoice.account_id}),
    Step("get", "/invoices/{id}", key=lambda w: w.invoice.pk),
    Step("get", "/invoices/{id}/pdf", key=lambda w: w.invoice.pk),
    Step("get", "/invoices/{id}/csv", key=lambda w: w.invoice.pk),
    Step("post", "/invoices/{id}/issue", who="dana", key=lambda w: w.draft.pk),
    Step("post", "/invoices/{id}/void", who="dana", key=lambda w: w.invoice.pk),
    _staffs("/billing-periods", "dana"),
    Step("get", "/billing-periods/{id}", who="dana", key=lambda w: w.used_period.pk),
    Step("post", "/billing-periods", who="dana", body=lambda w: {"account": w.account.pk}),
    Step(
        "post", "/billing-periods/{id}/cut", who="dana", status=201,
        key=lambda w: w.account.periods.get().pk, body=lambda w: {"at": AFTERNOON},
    ),
    Step("get", "/billing-periods/{id}/exceptions", who="dana", key=lambda w: w.used_period.pk),
    Step(
        "post", "/billing-periods/{id}/draft", who="dana", key=lambda w: w.used_period.pk,
        status=201,
    ),
    _staffs("/price-books", "dana"),
    Step("get", "/price-books/{id}", who="dana", key=lambda w: w.book.pk),
    _staffs("/skus", "dana"),
    _staffs("/rates", "dana"),
    Step("get", "/rates/{id}", who="dana", key=lambda w: w.rate.pk),
    Step(
        "post", "/rates", who="dana", status=409,
        body=lambda w: {
            "price_book": w.book.pk, "sku": "rngd-device", "hourly_rate": "1",
            "valid_from": TOMORROW,
        },
    ),
    Step("post", "/rates/{id}/end", who="dana", key=lambda w: w.rate.pk, status=409,
         body=lambda w: {"valid_until": AFTERNOON}),
]  # fmt: skip


def _on_cluster(world: AliceWorld) -> Words:
    provisioning_factory.put_on(world.instance, world.cluster)
    return {"instance_id": world.instance.pk}


def _window(world: AliceWorld) -> Words:
    return {
        "cluster": world.node.cluster.name, "nodes": [world.node.pk], "reason": "Firmware",
        "starts_at": TOMORROW, "ends_at": TOMORROW + timedelta(hours=4), "policy": "move",
    }  # fmt: skip


INVENTORY = [
    _staffs("/nodes", "erin"),
    Step("get", "/nodes/{id}", who="erin", key=lambda w: w.node.pk),
    Step(
        "post", "/nodes/{id}/stop-sale", who="erin", key=lambda w: w.node.pk,
        body=lambda w: {"reason": "Fan"},
    ),
    Step("post", "/nodes/{id}/resume-sale", who="erin", key=lambda w: w.node.pk),
    _staffs("/devices", "erin"),
    Step(
        "post", "/devices/{id}/stop-sale", who="erin", key=lambda w: w.device.pk,
        body=lambda w: {"reason": "Flaky"},
    ),
    Step("post", "/devices/{id}/resume-sale", who="erin", key=lambda w: w.device.pk),
    _staffs("/pools", "erin"),
    Step(
        "patch", "/pools/{id}", who="erin", key=lambda w: w.device.pool_id,
        body=lambda w: {
            "exporter": {"namespace": "npu-system", "selector": "app=exporter", "port": 9400}
        },
    ),
    # Nobody answers there, and she is told so.
    Step("get", "/pools/{id}/exporters", who="erin", key=lambda w: w.device.pool_id, status=503),
    _staffs("/maintenance-windows", "erin"),
    Step("post", "/maintenance-windows", who="erin", body=_window, status=201),
    Step("post", "/maintenance-windows/{id}/cancel", who="erin", key=lambda w: w.window.pk),
    Step("get", "/maintenance-windows/{id}/affected", who="erin", key=lambda w: w.window.pk),
    _mine("/notices", asked=lambda w: {"tenant": w.notice.tenant.slug}),
    Step("post", "/notices/{id}/read", key=lambda w: w.notice.pk),
    Step("post", "/notices/read", stranger=Meets.THE_SAME),
]  # fmt: skip

CLUSTERS = [
    _staffs("/clusters", "erin"),
    Step("get", "/clusters/{id}", who="erin", key=lambda w: w.cluster.pk),
    Step(
        "post", "/clusters", who="erin", status=422,
        body=lambda w: {"name": "west", "kubeconfig": "not one"},
    ),
    # Nobody answers there, and she is told so.
    Step("post", "/clusters/{id}/probe", who="erin", key=lambda w: w.cluster.pk, status=503),
    Step("post", "/clusters/{id}/pause", who="erin", key=lambda w: w.cluster.pk),
    Step("post", "/clusters/{id}/resume", who="erin", key=lambda w: w.cluster.pk),
    Step("post", "/clusters/{id}/examine", who="erin", key=lambda w: w.cluster.pk, status=202),
    # Nobody answers there, so nothing is known of a gateway either.
    Step(
        "post", "/clusters/{id}/gateway", who="erin", key=lambda w: w.cluster.pk, status=503,
        body=lambda w: {
            "gateway_namespace": "edge", "gateway_name": "public", "namespace": "edge",
            "service_name": "portal", "service_port": 80,
        },
    ),
    Step("post", "/clusters/{id}/gateway/remove", who="erin", key=lambda w: w.cluster.pk),
    Step("post", "/clusters/{id}/drain", who="erin", key=lambda w: w.cluster.pk),
    # It has to be drained first, and nobody answers there.
    Step("post", "/clusters/{id}/remove", who="erin", key=lambda w: w.cluster.pk, status=503),
    Step(
        "post", "/clusters/{id}/credentials", who="erin", key=lambda w: w.cluster.pk, status=422,
        body=lambda w: {"kubeconfig": "not one"},
    ),
    Step("get", "/clusters/{id}/instances", who="erin", key=lambda w: w.cluster.pk),
    # The cluster takes new pods, and that is what the operator is told.
    Step(
        "post", "/clusters/{id}/move", who="erin", key=lambda w: w.cluster.pk, status=409,
        body=_on_cluster,
    ),
    Step(
        "post", "/clusters/{id}/stop", who="erin", key=lambda w: w.cluster.pk, body=_on_cluster
    ),
]  # fmt: skip

WHY = {"reason": "Looked at."}


def _letter(world: AliceWorld) -> object:
    return provisioning_factory.dead_letter(world.instance).pk


def _alarm(world: AliceWorld) -> object:
    return provisioning_factory.alarm(world.cluster).pk


TROUBLE = [
    _staffs("/dead-letters", "erin"),
    Step("get", "/dead-letters/{id}", who="erin", key=_letter),
    Step("post", "/dead-letters/{id}/retry", who="erin", key=_letter, body=lambda w: WHY),
    Step("post", "/dead-letters/{id}/close", who="erin", key=_letter, body=lambda w: WHY),
    _staffs("/cluster-alarms", "erin"),
    Step("get", "/cluster-alarms/{id}", who="erin", key=_alarm),
    Step("get", "/cluster-alarms/{id}/orphans", who="erin", key=_alarm),
    Step(
        "post", "/cluster-alarms/{id}/release", who="erin", key=_alarm, status=409,
        body=lambda w: {**WHY, "uids": ["11111111-1111-4111-8111-111111111111"]},
    ),
    Step("post", "/cluster-alarms/{id}/close", who="erin", key=_alarm, body=lambda w: WHY),
]  # fmt: skip

STEPS = [
    *PEOPLE,
    *CATALOGUE,
    *REQUESTS,
    *INSTANCES,
    *VOLUMES,
    *MONEY,
    *TROUBLE,
    *CLUSTERS,
    *INVENTORY,
]
