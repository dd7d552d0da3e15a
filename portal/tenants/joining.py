"""Who belongs to a tenant or to one of its projects: add, change role, remove, leave.

Whether the caller may is settled before, with `portal.tenants.scoping`; what holds for
everybody is settled here: only owners make or unmake owners, and the last one stays.
"""

from datetime import datetime

from django.db import IntegrityError, transaction

from portal.tenants import scoping
from portal.tenants.access import PROJECT_ROLES, Action, Role
from portal.tenants.errors import (
    AlreadyMember,
    Forbidden,
    LastOwner,
    NotFound,
    UnknownPerson,
    UnknownRole,
)
from portal.tenants.models import Membership, Project, ProjectMembership, Tenant, User


@transaction.atomic
def add_member(*, tenant: Tenant, email: str, role: str, by: User, at: datetime) -> Membership:
    """Make somebody who has signed up a member."""
    chosen = _role(role)
    _require_owner(tenant=tenant, by=by, roles=[chosen])
    user = _person(email)
    try:
        with transaction.atomic():
            return tenant.memberships.create(user=user, role=chosen, created_at=at)
    except IntegrityError:
        raise AlreadyMember from None


@transaction.atomic
def change_role(*, membership: Membership, role: str, by: User) -> Membership:
    """Give a member another role."""
    chosen = _role(role)
    owners = _lock_owners(membership.tenant)
    _refresh(membership)
    _require_owner(tenant=membership.tenant, by=by, roles=[chosen, membership.role])
    if chosen is not Role.OWNER:
        _require_another(owners, than=membership)
    membership.role = chosen
    membership.save(update_fields=["role"])
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, by: User) -> None:
    """Let a member go, or leave, with the projects open to them; all may remove themselves."""
    owners = _lock_owners(membership.tenant)
    _refresh(membership)
    if membership.user_id != by.pk:
        _require_owner(tenant=membership.tenant, by=by, roles=[membership.role])
    _require_another(owners, than=membership)
    opened = ProjectMembership.objects.filter(project__tenant=membership.tenant_id)
    opened.filter(user=membership.user_id).delete()
    membership.delete()


@transaction.atomic
def add_project_member(
    *, project: Project, email: str, role: str, at: datetime
) -> ProjectMembership:
    """Open one project to somebody who need not belong to the tenant."""
    if role not in PROJECT_ROLES:
        raise UnknownRole
    user = _person(email)
    try:
        with transaction.atomic():
            return project.memberships.create(user=user, role=role, created_at=at)
    except IntegrityError:
        raise AlreadyMember from None


def remove_project_member(*, membership: ProjectMembership) -> None:
    """Close the project to somebody again."""
    membership.delete()


def _refresh(membership: Membership) -> None:
    try:
        membership.refresh_from_db()
    except Membership.DoesNotExist:
        raise NotFound from None


def _role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise UnknownRole from None


def _person(email: str) -> User:
    found = User.objects.filter(email=User.objects.normalize_email(email), is_active=True).first()
    if found is None:
        raise UnknownPerson
    return found


def _lock_owners(tenant: Tenant) -> list[Membership]:
    # Two owners leaving at once must not both see the other stay.
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    return list(tenant.memberships.filter(role=Role.OWNER))


def _require_another(owners: list[Membership], *, than: Membership) -> None:
    if than.role == Role.OWNER and all(owner.pk == than.pk for owner in owners):
        raise LastOwner


def _require_owner(*, tenant: Tenant, by: User, roles: list[str]) -> None:
    if Role.OWNER not in roles:
        return
    if not scoping.tenants_of(by, Action.MANAGE_OWNERS).filter(pk=tenant.pk).exists():
        raise Forbidden
