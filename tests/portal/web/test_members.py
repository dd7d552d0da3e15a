"""Members and projects: who may bring whom in, and what stays forbidden."""

import pytest
from django.contrib.messages import get_messages

from portal.tenants import joining
from portal.tenants.access import Role
from portal.tenants.models import Membership
from tests.factories.portal import NOON
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db


def _members(world: World) -> str:
    return f"/t/{world.tenant.slug}/members/"


def test_somebody_who_has_signed_up_is_added(world: World, visit: Visits) -> None:
    words = {"email": "Charlie@Example.com", "role": "member"}
    visit(world.people["alice"]).post(_members(world), words)

    assert Membership.objects.get(user=world.people["charlie"]).role == "member"
    assert visit(world.people["charlie"]).get(f"/t/{world.tenant.slug}/").status_code == 200


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"email": "nobody@example.com", "role": "member"}, "Nobody has signed up"),
        ({"email": "alice@example.com", "role": "member"}, "already a member"),
        ({"email": "charlie@example.com", "role": "emperor"}, "valid choice"),
        ({"email": "no address", "role": "member"}, "valid email"),
    ],
    ids=["unknown", "already", "role", "address"],
)
def test_who_cannot_be_added_is_refused_in_words(
    world: World, visit: Visits, words: dict[str, str], said: str
) -> None:
    answer = visit(world.people["alice"]).post(_members(world), words)

    assert answer.status_code == 422
    assert said in answer.content.decode()


def test_the_last_owner_stays(world: World, visit: Visits) -> None:
    mine = Membership.objects.get(user=world.people["alice"])
    answer = visit(world.people["alice"]).post(f"{_members(world)}{mine.pk}/remove/")

    assert "at least one owner" in str(next(iter(get_messages(answer.wsgi_request))))
    assert Membership.objects.filter(pk=mine.pk).exists()


def test_a_manager_makes_no_owner(world: World, visit: Visits) -> None:
    manager = joining.add_member(
        tenant=world.tenant,
        email=world.people["charlie"].email,
        role=Role.MANAGER,
        by=world.people["alice"],
        at=NOON,
    )
    answer = visit(manager.user).post(f"{_members(world)}{manager.pk}/role/", {"role": "owner"})

    assert answer.status_code == 403
    manager.refresh_from_db()
    assert manager.role == "manager"


def test_a_project_is_opened_and_a_taken_name_refused(world: World, visit: Visits) -> None:
    browser, address = visit(world.people["alice"]), f"/t/{world.tenant.slug}/projects/"
    assert browser.post(address, {"name": "Night shift"}).status_code == 302

    answer = browser.post(address, {"name": "Night shift"})
    assert answer.status_code == 422
    assert "already taken" in answer.content.decode()


def test_a_billing_role_sees_money_and_starts_nothing(world: World, visit: Visits) -> None:
    member = joining.add_member(
        tenant=world.tenant,
        email=world.people["charlie"].email,
        role=Role.BILLING,
        by=world.people["alice"],
        at=NOON,
    )
    browser = visit(member.user)

    assert browser.get(f"/t/{world.tenant.slug}/invoices/").status_code == 200
    assert browser.get(f"/t/{world.tenant.slug}/instances/new/").status_code == 403
    assert "Start an instance" not in browser.get(f"/t/{world.tenant.slug}/").content.decode()
