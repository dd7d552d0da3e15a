"""One afternoon with everybody on stage."""

from portal.tenants import joining
from portal.tenants.access import Role, StaffRole
from portal.tenants.models import PlatformRole, Tenant, User
from tests.factories import portal as factory
from tests.factories.portal import NOON
from tests.portal.web.world import World


def set_stage() -> World:
    """Alice with tenant and quota, the staff, Charlie with a tenant of his own, and Zoe."""
    alice, charlie = factory.make_user("Alice"), factory.make_user("Charlie")
    bob = factory.make_user("Bob", staff=StaffRole.APPROVER)
    dana = factory.make_user("Dana", staff=StaffRole.FINANCE)
    erin = factory.make_user("Erin", staff=StaffRole.OPERATOR)
    catalog = factory.make_catalog()
    factory.price(catalog.family)
    tenant = factory.make_tenant("Harbor Vision", owner=alice)
    factory.grant(tenant.projects.get(), catalog.family, 10, by=bob, asked_by=alice)
    factory.make_tenant("Meadow Robotics", owner=charlie)
    people = {"alice": alice, "bob": bob, "charlie": charlie, "dana": dana, "erin": erin}
    people["zoe"] = _make_zoe(tenant, by=alice)
    return World(people=people, project=tenant.projects.get(), catalog=catalog)


def _make_zoe(tenant: Tenant, *, by: User) -> User:
    """Somebody who may do everything there is."""
    zoe = factory.make_user("Zoe")
    joining.add_member(tenant=tenant, email=zoe.email, role=Role.OWNER, by=by, at=NOON)
    PlatformRole.objects.bulk_create(PlatformRole(user=zoe, role=role) for role in StaffRole)
    return zoe
