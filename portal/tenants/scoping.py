"""Every object is reached through its tenant, and only here.

A list shows what the policy table lets the person see.  A detail or an action first asks
whether the thing may be seen: if not it is `NotFound`, so a stranger learns nothing; then
whether the action is allowed: if not it is `Forbidden`.  The apps above add their own
kinds of thing with `visible`, `pick` and `require`.
"""

from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from portal.tenants.access import (
    PROJECT_ROLES,
    Action,
    is_allowed,
    roles_allowing,
    staff_roles_allowing,
)
from portal.tenants.errors import Forbidden, NotFound
from portal.tenants.models import Membership, PlatformRole, Project, Tenant, User

M = TypeVar("M", bound=Model)


def is_staff(user: User) -> bool:
    """Whether the person serves the platform in any role."""
    return user.confined_to is None and PlatformRole.objects.filter(user=user).exists()


def staff_may(user: User, action: Action) -> bool:
    """Whether a platform role lets the person do this everywhere."""
    roles = staff_roles_allowing(action)
    if user.confined_to is not None or not roles:
        return False
    return PlatformRole.objects.filter(user=user, role__in=roles).exists()


def require_staff(user: User, action: Action) -> None:
    """Refuse who has not the role; to people outside the platform the room does not exist."""
    if staff_may(user, action):
        return
    raise Forbidden if is_staff(user) else NotFound


def tenants_of(user: User, action: Action = Action.VIEW_TENANT) -> QuerySet[Tenant]:
    """Tenants in which the person may do this; one project is enough to see its tenant."""
    if staff_may(user, action):
        return Tenant.objects.all()
    mine = Q(pk__in=_memberships(user, action).values("tenant"))
    if action is Action.VIEW_TENANT:
        mine |= Q(pk__in=_projects_opened_to(user, Action.VIEW_PROJECT).values("tenant"))
    return Tenant.objects.filter(mine)


def projects_of(user: User, action: Action = Action.VIEW_PROJECT) -> QuerySet[Project]:
    """Projects in which the person may do this, by a role in the tenant or in the project."""
    if staff_may(user, action):
        return Project.objects.all()
    through_tenant = Q(tenant__in=_memberships(user, action).values("tenant"))
    return Project.objects.filter(through_tenant | Q(pk__in=_projects_opened_to(user, action)))


def tenant_for(user: User, slug: str, action: Action = Action.VIEW_TENANT) -> Tenant:
    """The tenant, if the person may see it and do this in it."""
    tenant = pick(tenants_of(user), slug=slug)
    if action is not Action.VIEW_TENANT:
        require(tenants_of(user, action).filter(pk=tenant.pk))
    return tenant


def project_for(user: User, project_id: int, action: Action = Action.VIEW_PROJECT) -> Project:
    """The project, if the person may see it and do this in it."""
    project = pick(projects_of(user).select_related("tenant"), pk=project_id)
    if action is not Action.VIEW_PROJECT:
        require(projects_of(user, action).filter(pk=project.pk))
    return project


def pick(rows: QuerySet[M], **key: object) -> M:
    """The one row among those the person may see."""
    try:
        return rows.get(**key)
    except (rows.model.DoesNotExist, ValueError, OverflowError):
        raise NotFound from None


def require(rows: QuerySet[M]) -> None:
    """Refuse, when what may be seen may not be acted upon."""
    if not rows.exists():
        raise Forbidden


def may(user: User, tenant: Tenant, action: Action) -> bool:
    """Whether the person may do this somewhere in the tenant; for menus and buttons."""
    return projects_of(user, action).filter(tenant=tenant).exists() or (
        tenants_of(user, action).filter(pk=tenant.pk).exists()
    )


def _memberships(user: User, action: Action) -> QuerySet[Membership]:
    rows = Membership.objects.filter(user=user, role__in=roles_allowing(action))
    return rows if user.confined_to is None else rows.filter(tenant=user.confined_to)


def _projects_opened_to(user: User, action: Action) -> QuerySet[Project]:
    roles = [role for role in PROJECT_ROLES if is_allowed(role=role, action=action)]
    rows = Project.objects.filter(memberships__user=user, memberships__role__in=roles)
    return rows if user.confined_to is None else rows.filter(tenant=user.confined_to)
