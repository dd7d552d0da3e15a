"""The cast: Alice owns the tenant, Bob approves, Charlie is from elsewhere, Dana is finance,
Erin operates the clusters, Frank audits.
"""

import pytest

from portal.requests.models import InstanceRequest, QuotaRequest
from portal.tenants.access import StaffRole
from portal.tenants.models import Project, Tenant, User
from provisioning.models import Instance
from tests.factories import portal as factory
from tests.factories.portal import Catalog


@pytest.fixture
def alice(db: None) -> User:
    return factory.make_user("Alice")


@pytest.fixture
def bob(db: None) -> User:
    return factory.make_user("Bob", staff=StaffRole.APPROVER)


@pytest.fixture
def charlie(db: None) -> User:
    return factory.make_user("Charlie")


@pytest.fixture
def dana(db: None) -> User:
    return factory.make_user("Dana", staff=StaffRole.FINANCE)


@pytest.fixture
def erin(db: None) -> User:
    return factory.make_user("Erin", staff=StaffRole.OPERATOR)


@pytest.fixture
def frank(db: None) -> User:
    return factory.make_user("Frank", staff=StaffRole.AUDITOR)


@pytest.fixture
def tenant(alice: User) -> Tenant:
    """Alice's."""
    return factory.make_tenant("Harbor Vision", owner=alice)


@pytest.fixture
def project(tenant: Tenant) -> Project:
    """The first project of Alice's tenant."""
    return tenant.projects.get()


@pytest.fixture
def other_tenant(charlie: User) -> Tenant:
    """Charlie's."""
    return factory.make_tenant("Meadow Robotics", owner=charlie)


@pytest.fixture
def other_project(other_tenant: Tenant) -> Project:
    """The first project of Charlie's tenant."""
    return other_tenant.projects.get()


@pytest.fixture
def catalog(db: None) -> Catalog:
    """One priced family on offer."""
    catalog = factory.make_catalog()
    factory.price(catalog.family)
    return catalog


@pytest.fixture
def granted(project: Project, catalog: Catalog, alice: User, bob: User) -> Project:
    """Alice's project, with ten devices of quota."""
    factory.grant(project, catalog.family, 10, by=bob, asked_by=alice)
    return project


@pytest.fixture
def submitted_quota_request(project: Project, catalog: Catalog, alice: User) -> QuotaRequest:
    """Alice asks for eight devices."""
    return factory.submit_quota(project, catalog.family, 8, by=alice)


@pytest.fixture
def launched(granted: Project, catalog: Catalog, alice: User) -> InstanceRequest:
    """Alice's request for one instance, launched inside her quota."""
    return factory.submit_instances(granted, catalog, by=alice)


@pytest.fixture
def instance(launched: InstanceRequest) -> Instance:
    """The instance of Alice's request, queued."""
    return launched.launched_instances.get().instance
