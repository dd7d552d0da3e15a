"""The approver's pages: grants, counter-offers, rejections, and the second in line."""

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from portal.quotas.queries import headroom
from portal.tenants.access import StaffRole
from portal.tenants.models import PlatformRole
from provisioning.models import Instance
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def bobs(world: World, visit: Visits) -> Client:
    return visit(world.people["bob"])


def _case(world: World) -> str:
    return f"/staff/approvals/{world.quota_request.pk}/"


def _granted(world: World) -> int:
    return headroom(project=world.project, family=world.catalog.family).granted


def test_the_queue_shows_who_asks_for_what(bobs: Client, world: World) -> None:
    address = _case(world)

    assert f'href="{address}"' in bobs.get("/staff/approvals/").content.decode()


def test_the_case_shows_cost_history_and_fit(bobs: Client, world: World) -> None:
    page = bobs.get(_case(world)).content.decode()

    # 3 devices × 720 hours × ₩3,600.
    assert "₩7,776,000" in page
    assert "No cluster has this family" in page
    assert "CCTV analytics pilot" in page


def test_approval_grants_and_leads_back_to_the_queue(bobs: Client, world: World) -> None:
    answer = bobs.post(_case(world), {"devices": 3})

    assert answer["Location"] == "/staff/approvals/"
    assert _granted(world) == 13


def test_a_counter_offer_grants_fewer_and_tells_the_tenant(
    bobs: Client, world: World, visit: Visits
) -> None:
    bobs.post(_case(world), {"devices": 1, "reason": "One to begin with."})

    assert _granted(world) == 11
    page = visit(world.people["alice"]).get(f"/t/{world.tenant.slug}/quota/").content.decode()
    assert "One to begin with." in page


@pytest.mark.parametrize(
    ("devices", "said"), [(4, "never more"), (0, "greater than or equal to 1"), ("", "required")]
)
def test_a_grant_beyond_reason_stands_on_the_form(
    bobs: Client, world: World, devices: object, said: str
) -> None:
    answer = bobs.post(_case(world), {"devices": devices})

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert _granted(world) == 10


def test_a_rejection_needs_a_reason(bobs: Client, world: World) -> None:
    answer = bobs.post(f"{_case(world)}reject/", {"reason": "  "})

    assert [str(m) for m in get_messages(answer.wsgi_request)] == ["A rejection needs a reason."]
    world.quota_request.refresh_from_db()
    assert world.quota_request.state == "submitted"


def test_of_two_approvers_the_second_is_told(bobs: Client, world: World) -> None:
    bobs.post(_case(world), {"devices": 3})
    answer = bobs.post(_case(world), {"devices": 3})

    assert answer.status_code == 422
    assert "already decided" in answer.content.decode()
    assert _granted(world) == 13


def test_nobody_decides_for_a_tenant_of_their_own(world: World, visit: Visits) -> None:
    alice = world.people["alice"]
    PlatformRole.objects.create(user=alice, role=StaffRole.APPROVER)
    answer = visit(alice).post(_case(world), {"devices": 3})

    assert answer.status_code == 422
    assert "a tenant they belong to" in answer.content.decode()


def test_a_held_request_is_let_go_and_launches(bobs: Client, world: World) -> None:
    bobs.post(f"/staff/approvals/instances/{world.held_request.pk}/approve/")

    assert Instance.objects.count() == 2


def test_an_auditor_looks_and_cannot_decide(world: World, visit: Visits) -> None:
    frank = world.people["charlie"]
    PlatformRole.objects.create(user=frank, role=StaffRole.AUDITOR)
    browser = visit(frank)

    assert "You may look, not decide." in browser.get(_case(world)).content.decode()
    assert browser.post(_case(world), {"devices": 3}).status_code == 403
    assert _granted(world) == 10
