"""What pages do not show to whoever sees a part, and nonsense they take calmly."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.tenants import joining
from portal.tenants.access import Role
from portal.tenants.models import Project
from provisioning.models import Node, Volume
from tests.factories import portal as factory
from tests.factories.portal import NOON
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db


def test_a_guest_of_one_project_learns_nothing_of_the_others(world: World, visit: Visits) -> None:
    Project.objects.create(tenant=world.tenant, name="Merger", slug="merger", created_at=NOON)
    heidi = factory.make_user("Heidi")
    joining.add_project_member(project=world.project, email=heidi.email, role=Role.VIEWER, at=NOON)
    address = reverse("web:volumes", args=[world.tenant.slug])

    hers, owners = (
        visit(who).get(address).content.decode() for who in (heidi, world.people["alice"])
    )

    assert world.project.name in hers
    assert "Merger" not in hers
    assert "Merger" in owners


def test_more_volumes_are_no_more_questions(world: World, visit: Visits) -> None:
    browser, address = (
        visit(world.people["alice"]),
        reverse("web:volumes", args=[world.tenant.slug]),
    )
    volume = world.volume
    browser.get(address)
    with CaptureQueriesContext(connection) as few:
        browser.get(address)
    for no in range(5):
        volume.pk, volume.name, volume.claim_name = uuid4(), f"more-{no}", f"more-{no}"
        volume._state.adding = True
        volume.save(force_insert=True)
    with CaptureQueriesContext(connection) as many:
        browser.get(address)

    assert Volume.objects.count() == 6
    assert len(many) == len(few)


@pytest.mark.parametrize("cluster", ["\x00", "nowhere", "x" * 500])
def test_an_inventory_of_no_cluster_is_empty(world: World, visit: Visits, cluster: str) -> None:
    node = world.node
    answer = visit(world.people["erin"]).get(reverse("web:inventory"), {"cluster": cluster})

    assert answer.status_code == 200
    assert node.name not in answer.content.decode()


@pytest.mark.parametrize("reason", ["", "  ", "a\x00b", "x" * 301])
def test_a_sale_is_not_stopped_for_a_reason_that_cannot_be_kept(
    world: World, visit: Visits, reason: str
) -> None:
    browser = visit(world.people["erin"])
    for name, pk in (("node", world.node.pk), ("device", world.device.pk)):
        answer = browser.post(reverse(f"web:inventory-{name}-stop", args=[pk]), {"reason": reason})
        assert answer.status_code == 302

    assert Node.objects.get(pk=world.node.pk).stopped_at is None


def test_a_look_ahead_puts_no_token_into_an_address(world: World, visit: Visits) -> None:
    page = visit(world.people["erin"]).get(reverse("web:maintenance")).content.decode()

    assert 'hx-params="not csrfmiddlewaretoken"' in page
