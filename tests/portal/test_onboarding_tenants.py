"""Opening a tenant, and a project in it."""

import pytest

from billing.models import Account, BillingPeriod, Payer
from portal.tenants import onboarding
from portal.tenants.access import Role
from portal.tenants.errors import NameMissing, SlugRefused, SlugTaken
from portal.tenants.models import Tenant, User
from tests.factories.portal import NOON

pytestmark = pytest.mark.django_db


def test_a_tenant_opens_with_owner_project_and_account(alice: User) -> None:
    tenant = onboarding.open_tenant(name="Harbor  Vision ", owner=alice, at=NOON)

    assert (tenant.name, tenant.slug) == ("Harbor Vision", "harbor-vision")
    assert tenant.memberships.get().role == Role.OWNER
    assert tenant.projects.get().slug == "first"
    account = Account.objects.get(tenant_id=tenant.pk)
    assert Payer.objects.get(account=account).email == alice.email
    assert BillingPeriod.objects.get(account=account).since <= NOON


def test_a_korean_name_gets_a_short_name_of_its_own(alice: User) -> None:
    first = onboarding.open_tenant(name="한강 비전", owner=alice, at=NOON)
    second = onboarding.open_tenant(name="한강 비전", owner=alice, at=NOON)

    assert first.slug.startswith("tenant-")
    assert first.slug != second.slug


def test_two_tenants_of_one_name_get_two_addresses(alice: User, charlie: User) -> None:
    first = onboarding.open_tenant(name="Harbor", owner=alice, at=NOON)
    second = onboarding.open_tenant(name="Harbor", owner=charlie, at=NOON)

    assert first.slug == "harbor"
    assert second.slug.startswith("harbor-")


@pytest.mark.parametrize(
    ("name", "slug", "refusal"),
    [
        ("", "", NameMissing),
        ("   ", "", NameMissing),
        ("Harbor", "harbor", SlugTaken),
        ("Harbor", "Har bor", SlugRefused),
        ("Harbor", "-harbor", SlugRefused),
        ("Harbor", "h" * 49, SlugRefused),
    ],
)
def test_a_refused_tenant_leaves_nothing_behind(
    alice: User, name: str, slug: str, refusal: type[Exception]
) -> None:
    onboarding.open_tenant(name="First here", slug="harbor", owner=alice, at=NOON)

    with pytest.raises(refusal):
        onboarding.open_tenant(name=name, slug=slug, owner=alice, at=NOON)

    assert Tenant.objects.count() == 1
    assert Account.objects.count() == 1


def test_a_project_name_is_taken_once_per_tenant(tenant: Tenant, other_tenant: Tenant) -> None:
    onboarding.open_project(tenant=tenant, name="Night cameras", at=NOON)
    onboarding.open_project(tenant=other_tenant, name="Night cameras", at=NOON)

    with pytest.raises(SlugTaken):
        onboarding.open_project(tenant=tenant, name="Night cameras", at=NOON)
