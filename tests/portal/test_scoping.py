"""Every object through its tenant: hidden from strangers, refused to members who may not."""

from uuid import uuid4

import pytest

from billing import invoicing
from portal.quotas import scoping as quota_scoping
from portal.requests import scoping as request_scoping
from portal.tenants import joining, onboarding, scoping
from portal.tenants.access import Action, Role, StaffRole
from portal.tenants.errors import Forbidden, NotFound
from portal.tenants.models import Project, Tenant, User
from provisioning.models import Instance
from tests.factories import portal as factory
from tests.factories.portal import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(tenant: Tenant, alice: User) -> User:
    """Somebody who only looks at Alice's tenant."""
    mia = factory.make_user("Mia")
    joining.add_member(tenant=tenant, email=mia.email, role=Role.VIEWER, by=alice, at=NOON)
    return mia


@pytest.fixture
def guest(project: Project) -> User:
    """Somebody who belongs to one project of Alice's and to no tenant."""
    noah = factory.make_user("Noah")
    joining.add_project_member(project=project, email=noah.email, role=Role.MEMBER, at=NOON)
    return noah


def test_a_stranger_finds_nothing(charlie: User, instance: Instance, project: Project) -> None:
    with pytest.raises(NotFound):
        scoping.tenant_for(charlie, project.tenant.slug)
    with pytest.raises(NotFound):
        scoping.project_for(charlie, project.pk, Action.SUBMIT_INSTANCE_REQUEST)
    with pytest.raises(NotFound):
        scoping.instance_for(charlie, instance.pk, Action.OPERATE_INSTANCE)
    assert not scoping.instances_of(charlie).exists()
    assert not quota_scoping.quotas_of(charlie).exists()
    assert not request_scoping.quota_requests_of(charlie).exists()
    assert not request_scoping.instance_requests_of(charlie).exists()


def test_what_does_not_exist_answers_as_what_is_hidden(charlie: User) -> None:
    with pytest.raises(NotFound):
        scoping.instance_for(charlie, uuid4())


def test_a_viewer_sees_and_is_refused(viewer: User, instance: Instance) -> None:
    assert scoping.instance_for(viewer, instance.pk) == instance
    with pytest.raises(Forbidden):
        scoping.instance_for(viewer, instance.pk, Action.OPERATE_INSTANCE)


def test_a_guest_works_in_one_project_and_sees_no_other(
    guest: User, tenant: Tenant, project: Project, alice: User
) -> None:
    secret = onboarding.open_project(tenant=tenant, name="Secret", at=NOON)

    assert scoping.project_for(guest, project.pk, Action.SUBMIT_INSTANCE_REQUEST) == project
    assert list(scoping.tenants_of(guest)) == [tenant]
    assert list(scoping.projects_of(guest)) == [project]
    with pytest.raises(NotFound):
        scoping.project_for(guest, secret.pk)
    with pytest.raises(Forbidden):
        scoping.tenant_for(guest, tenant.slug, Action.VIEW_MEMBERS)
    assert not scoping.accounts_of(guest).exists()


def test_an_approver_reads_requests_and_not_instances(
    bob: User, instance: Instance, launched: object
) -> None:
    assert request_scoping.quota_requests_of(bob, Action.DECIDE_QUOTA_REQUEST).exists()
    with pytest.raises(NotFound):
        scoping.instance_for(bob, instance.pk)


def test_the_platform_hides_its_rooms_from_tenants(alice: User, bob: User, dana: User) -> None:
    scoping.require_staff(dana, Action.MANAGE_PRICES)
    with pytest.raises(Forbidden):
        scoping.require_staff(bob, Action.MANAGE_PRICES)
    with pytest.raises(NotFound):
        scoping.require_staff(alice, Action.MANAGE_PRICES)


def test_a_confined_bearer_is_nobody_elsewhere(
    alice: User, tenant: Tenant, other_tenant: Tenant, charlie: User
) -> None:
    joining.add_member(
        tenant=other_tenant, email=alice.email, role=Role.MEMBER, by=charlie, at=NOON
    )
    factory.PlatformRole.objects.create(user=alice, role=StaffRole.AUDITOR)

    alice.confined_to = other_tenant.pk

    assert list(scoping.tenants_of(alice)) == [other_tenant]
    assert not scoping.staff_may(alice, Action.VIEW_TENANT)
    with pytest.raises(NotFound):
        scoping.require_staff(alice, Action.VIEW_CLUSTER)


def test_a_tenant_sees_its_invoice_only_once_it_is_issued(
    alice: User, charlie: User, dana: User, instance: Instance, other_tenant: Tenant
) -> None:
    draft = factory.draft_invoice(instance)
    assert list(scoping.invoices_of(dana)) == [draft]
    assert not scoping.invoices_of(alice).exists()

    invoicing.issue_invoice(draft=draft, by=dana.email, at=factory.AFTERNOON)

    assert list(scoping.invoices_of(alice)) == [draft]
    assert not scoping.invoices_of(charlie).exists()
