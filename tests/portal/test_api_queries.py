"""A list costs the same queries for one row as for many."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from billing.models import PriceBook
from portal.notices.models import Notice
from portal.requests import storing
from portal.tenants import issuing, joining
from portal.tenants.access import Role, StaffRole
from portal.tenants.models import PlatformRole, Tenant, User
from provisioning import images, maintaining, registries
from provisioning.models import DeadLetter, Device, Instance, Pool, RuntimeImage
from tests.factories import portal as factory
from tests.factories import provisioning as provisioning_factory
from tests.factories.portal import AFTERNOON, NOON, TOMORROW, Catalog
from tests.portal.conftest import Calls
from tests.portal.steps import STEPS

pytestmark = pytest.mark.django_db
# Lists by the document: what is read without naming one thing.
LISTS = sorted({step.path for step in STEPS if step.verb == "get" and step.key is None} - {"/me"})
MOST = 10


@dataclass(frozen=True)
class Cost:
    """What a list answered, and how many queries that took."""

    rows: int
    queries: int


@pytest.fixture
def caller(api: Calls, alice: User) -> APIClient:
    """Alice, who serves the platform as well: every list is open to her."""
    PlatformRole.objects.bulk_create(PlatformRole(user=alice, role=role) for role in StaffRole)
    return api(alice)


def _cost(caller: APIClient, path: str, tenant: Tenant) -> Cost:
    asked = {"tenant": tenant.slug, "since": NOON.replace(day=1), "until": AFTERNOON}
    with time_machine.travel(AFTERNOON, tick=False), CaptureQueriesContext(connection) as captured:
        answer = caller.get(f"/api/v1{path}", asked if path.startswith("/usage") else {})
    assert answer.status_code == 200, answer.content
    found = answer.json()
    rows = found if isinstance(found, list) else found.get("results") or found.get("lines", [])
    return Cost(rows=len(rows), queries=len(captured))


def _add_one_of_each(word: str, *, tenant: Tenant, alice: User, bob: User) -> None:
    """One row more in every list."""
    catalog = factory.make_catalog(f"family-{word}")
    factory.price(catalog.family)
    PriceBook.objects.create(name=word)
    _add_cluster(word, tenant, catalog)
    issuing.issue_token(user=alice, name=word, expires_at=TOMORROW, at=NOON)
    _add_people(word, tenant, by=alice)
    factory.grant(tenant.projects.first(), catalog.family, 2, by=bob, asked_by=alice)
    _use(tenant, catalog, by=alice)
    _tell(word, tenant, alice)
    billed = factory.make_tenant(word, owner=alice)
    factory.grant(billed.projects.get(), catalog.family, 2, by=bob, asked_by=alice)
    wish = factory.submit_instances(billed.projects.get(), catalog, by=alice)
    factory.draft_invoice(wish.launched_instances.get().instance)


def _add_cluster(word: str, tenant: Tenant, catalog: Catalog) -> None:
    """With a node, a device, a window, a volume, and something to look at."""
    cluster = provisioning_factory.add_cluster(name=word)
    pool = Pool.objects.create(cluster=cluster, family=catalog.family, resource_name=word)
    node = provisioning_factory.add_nodes(cluster)["node-1"]
    Device.objects.create(node=node, pool=pool, device_id="npu0", first_seen_at=NOON, seen_at=NOON)
    maintaining.plan_window(
        cluster=cluster,
        nodes=[node],
        starts_at=TOMORROW,
        ends_at=TOMORROW + timedelta(hours=1),
        reason="Firmware",
        by="erin@example.com",
        at=NOON,
    )
    provisioning_factory.alarm(cluster)
    storing.create_volume(
        project=tenant.projects.get(), cluster_name=word, name=word, size_gib=1, at=NOON
    )
    pattern = f"registry.example/{word}/*"
    images.allow_image(tenant_id=tenant.pk, pattern=pattern, by="erin", at=NOON)
    login = {"host": f"{word}.example", "username": word, "password": word}
    registries.store_login(tenant_id=tenant.pk, **login, by="alice", at=NOON)


def _tell(word: str, tenant: Tenant, alice: User) -> None:
    """Something happened to another instance: somebody has to look, and she is told."""
    told = DeadLetter.objects.values("instance")
    instance = Instance.objects.filter(tenant_id=tenant.pk).exclude(pk__in=told)[0]
    provisioning_factory.dead_letter(instance)
    Notice.objects.create(
        user=alice, tenant=tenant, key=word, kind="instance_idle", instance_id=instance.pk, at=NOON
    )


def _add_people(word: str, tenant: Tenant, *, by: User) -> None:
    email = factory.make_user(word).email
    project = tenant.projects.first()
    joining.add_member(tenant=tenant, email=email, role=Role.OWNER, by=by, at=NOON)
    joining.add_project_member(project=project, email=email, role=Role.VIEWER, at=NOON)


def _use(tenant: Tenant, catalog: Catalog, *, by: User) -> None:
    wish = factory.submit_instances(tenant.projects.first(), catalog, by=by, count=2)
    for launched in wish.launched_instances.select_related("instance"):
        factory.use(launched.instance)


def test_more_rows_are_not_more_queries(
    caller: APIClient, tenant: Tenant, alice: User, bob: User
) -> None:
    _add_one_of_each("one", tenant=tenant, alice=alice, bob=bob)
    _cost(caller, "/accounts", tenant)  # the token's first use is noted once
    few = {path: _cost(caller, path, tenant) for path in LISTS}
    for word in ("two", "three", "four"):
        _add_one_of_each(word, tenant=tenant, alice=alice, bob=bob)
    many = {path: _cost(caller, path, tenant) for path in LISTS}

    assert RuntimeImage.objects.filter(is_retired=False).count() == 4
    assert not {path for path in LISTS if many[path].rows <= few[path].rows}
    assert {path: cost.queries for path, cost in many.items()} == {
        path: cost.queries for path, cost in few.items()
    }
    assert max(cost.queries for cost in many.values()) <= MOST
