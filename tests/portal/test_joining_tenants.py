"""Who belongs to a tenant."""

import pytest

from portal.tenants import joining, scoping
from portal.tenants.access import Action, Role
from portal.tenants.errors import (
    AlreadyMember,
    Forbidden,
    LastOwner,
    NotFound,
    UnknownPerson,
    UnknownRole,
)
from portal.tenants.models import Membership, Project, Tenant, User
from tests.factories import portal as factory
from tests.factories.portal import NOON

pytestmark = pytest.mark.django_db


def _join(tenant: Tenant, user: User, role: Role, by: User) -> Membership:
    return joining.add_member(tenant=tenant, email=user.email, role=role, by=by, at=NOON)


def test_a_member_is_found_however_the_address_is_typed(tenant: Tenant, alice: User) -> None:
    mia = factory.make_user("Mia")

    joined = joining.add_member(
        tenant=tenant, email=" MIA@Example.com ", role="member", by=alice, at=NOON
    )

    assert joined.user == mia
    assert scoping.tenants_of(mia, Action.SUBMIT_INSTANCE_REQUEST).get() == tenant


@pytest.mark.parametrize(
    ("email", "role", "refusal"),
    [
        ("nobody@example.com", "member", UnknownPerson),
        ("alice@example.com", "member", AlreadyMember),
        ("mia@example.com", "emperor", UnknownRole),
    ],
)
def test_a_refused_member_is_not_added(
    tenant: Tenant, alice: User, email: str, role: str, refusal: type[Exception]
) -> None:
    factory.make_user("Mia")

    with pytest.raises(refusal):
        joining.add_member(tenant=tenant, email=email, role=role, by=alice, at=NOON)

    assert tenant.memberships.count() == 1


def test_a_person_who_left_the_platform_cannot_join(tenant: Tenant, alice: User) -> None:
    mia = factory.make_user("Mia")
    User.objects.filter(pk=mia.pk).update(is_active=False)

    with pytest.raises(UnknownPerson):
        _join(tenant, mia, Role.MEMBER, alice)


def test_a_manager_makes_and_unmakes_no_owner(tenant: Tenant, alice: User) -> None:
    mia, noah = factory.make_user("Mia"), factory.make_user("Noah")
    manager = _join(tenant, mia, Role.MANAGER, alice)

    with pytest.raises(Forbidden):
        _join(tenant, noah, Role.OWNER, mia)
    with pytest.raises(Forbidden):
        joining.change_role(membership=manager, role=Role.OWNER, by=mia)
    owner = tenant.memberships.get(user=alice)
    with pytest.raises(Forbidden):
        joining.change_role(membership=owner, role=Role.VIEWER, by=mia)
    with pytest.raises(Forbidden):
        joining.remove_member(membership=owner, by=mia)


def test_the_last_owner_stays(tenant: Tenant, alice: User) -> None:
    owner = tenant.memberships.get(user=alice)

    with pytest.raises(LastOwner):
        joining.remove_member(membership=owner, by=alice)
    with pytest.raises(LastOwner):
        joining.change_role(membership=owner, role=Role.VIEWER, by=alice)

    assert tenant.memberships.get().role == Role.OWNER


def test_an_owner_leaves_when_another_stays(tenant: Tenant, alice: User) -> None:
    mia = factory.make_user("Mia")
    _join(tenant, mia, Role.OWNER, alice)

    joining.remove_member(membership=tenant.memberships.get(user=alice), by=alice)

    assert not scoping.tenants_of(alice).exists()
    assert tenant.memberships.get().user == mia


def test_everybody_may_leave(tenant: Tenant, alice: User) -> None:
    mia = factory.make_user("Mia")
    viewer = _join(tenant, mia, Role.VIEWER, alice)

    joining.remove_member(membership=viewer, by=mia)

    assert not scoping.tenants_of(mia).exists()


def test_a_project_is_opened_to_members_and_viewers_only(project: Project, alice: User) -> None:
    noah = factory.make_user("Noah")

    with pytest.raises(UnknownRole):
        joining.add_project_member(project=project, email=noah.email, role="owner", at=NOON)
    guest = joining.add_project_member(project=project, email=noah.email, role="viewer", at=NOON)
    with pytest.raises(AlreadyMember):
        joining.add_project_member(project=project, email=noah.email, role="member", at=NOON)

    joining.remove_project_member(membership=guest)
    assert not scoping.projects_of(noah).exists()


def test_who_leaves_keeps_no_project(tenant: Tenant, project: Project, alice: User) -> None:
    mia = factory.make_user("Mia")
    membership = _join(tenant, mia, Role.MEMBER, alice)
    joining.add_project_member(project=project, email=mia.email, role="viewer", at=NOON)

    joining.remove_member(membership=membership, by=alice)

    assert not scoping.projects_of(mia, Action.VIEW_PROJECT).exists()


def test_who_is_gone_already_cannot_be_removed_again(tenant: Tenant, alice: User) -> None:
    membership = _join(tenant, factory.make_user("Mia"), Role.MEMBER, alice)
    stale = Membership.objects.get(pk=membership.pk)
    joining.remove_member(membership=membership, by=alice)
    with pytest.raises(NotFound):
        joining.remove_member(membership=stale, by=alice)
