"""Every object is reached through its tenant, and only here.

A list shows what the policy table lets the person see.  A detail or an action first asks
whether the thing may be seen: if not it is `NotFound`, so a stranger learns nothing; then
whether the action is allowed: if not it is `Forbidden`.  `portal.quotas.scoping` and
`portal.requests.scoping` add their kinds of thing with `reach`.
"""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.db.models import Model, OuterRef, Q, QuerySet, Subquery

from billing.models import Account, Invoice
from portal.tenants.access import (
    PROJECT_ROLES,
    Action,
    is_allowed,
    roles_allowing,
    staff_roles_allowing,
)
from portal.tenants.errors import Forbidden, NotFound
from portal.tenants.models import (
    Membership,
    PlatformRole,
    Project,
    ProjectMembership,
    Tenant,
    User,
)
from provisioning.models import Instance, RegistryLogin, TenantImage, Volume

M = TypeVar("M", bound=Model)


def staff_roles_of(user: User) -> frozenset[str]:
    """What the person is to the platform; a key to one tenant carries none of it."""
    if user.confined_to is not None:
        return frozenset()
    return frozenset(PlatformRole.objects.filter(user=user).values_list("role", flat=True))


def is_staff(user: User) -> bool:
    """Whether the person serves the platform in any role."""
    return bool(staff_roles_of(user))


def staff_may(user: User, action: Action) -> bool:
    """Whether a platform role lets the person do this everywhere."""
    roles = staff_roles_allowing(action)
    return bool(roles) and not staff_roles_of(user).isdisjoint(roles)


def memberships_of(user: User) -> QuerySet[Membership]:
    """Where the person is a member."""
    rows = Membership.objects.filter(user=user).select_related("tenant", "user")
    return rows if user.confined_to is None else rows.filter(tenant=user.confined_to)


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
        return Project.objects.select_related("tenant")
    through_tenant = Q(tenant__in=_memberships(user, action).values("tenant"))
    opened = Q(pk__in=_projects_opened_to(user, action).values("pk"))
    return Project.objects.filter(through_tenant | opened).select_related("tenant")


def tenant_for(user: User, slug: str, action: Action = Action.VIEW_TENANT) -> Tenant:
    """The tenant, if the person may see it and do this in it."""
    return reach(tenants_of, user, action, view=Action.VIEW_TENANT, slug=slug)


def project_for(user: User, project_id: int, action: Action = Action.VIEW_PROJECT) -> Project:
    """The project, if the person may see it and do this in it."""
    return reach(projects_of, user, action, view=Action.VIEW_PROJECT, pk=project_id)


def members_of(user: User, action: Action = Action.VIEW_MEMBERS) -> QuerySet[Membership]:
    """Memberships of the tenants in which the person may do this."""
    rows = Membership.objects.filter(tenant__in=tenants_of(user, action))
    return rows.select_related("tenant", "user")


def member_for(user: User, membership_id: int, action: Action = Action.VIEW_MEMBERS) -> Membership:
    """The membership, if the person may see it and do this with it."""
    return reach(members_of, user, action, view=Action.VIEW_MEMBERS, pk=membership_id)


def leaving_member_for(user: User, membership_id: int) -> Membership:
    """The membership, if the person may end it: as everybody may their own."""
    own = memberships_of(user).filter(pk=membership_id).first()
    return own or member_for(user, membership_id, Action.MANAGE_MEMBERS)


def project_members_of(
    user: User, action: Action = Action.VIEW_MEMBERS
) -> QuerySet[ProjectMembership]:
    """Project memberships of the tenants in which the person may do this."""
    rows = ProjectMembership.objects.filter(project__tenant__in=tenants_of(user, action))
    return rows.select_related("project", "user")


def project_member_for(
    user: User, membership_id: int, action: Action = Action.VIEW_MEMBERS
) -> ProjectMembership:
    """The project membership, if the person may see it and do this with it."""
    return reach(project_members_of, user, action, view=Action.VIEW_MEMBERS, pk=membership_id)


def instances_of(user: User, action: Action = Action.VIEW_INSTANCE) -> QuerySet[Instance]:
    """Instances with which the person may do this."""
    rows = Instance.objects.filter(project_id__in=projects_of(user, action).values("pk"))
    return rows.select_related("instance_type__family").annotate(tenant_slug=_tenant_slug())


def instance_for(user: User, instance_id: UUID, action: Action = Action.VIEW_INSTANCE) -> Instance:
    """The instance, if the person may see it and do this with it."""
    return reach(instances_of, user, action, view=Action.VIEW_INSTANCE, pk=instance_id)


def volumes_of(user: User, action: Action = Action.VIEW_VOLUME) -> QuerySet[Volume]:
    """Volumes with which the person may do this; those that are gone are history."""
    rows = Volume.objects.filter(project_id__in=projects_of(user, action).values("pk"))
    return rows.select_related("cluster").annotate(tenant_slug=_tenant_slug())


def volume_for(user: User, volume_id: UUID, action: Action = Action.VIEW_VOLUME) -> Volume:
    """The volume, if the person may see it and do this with it."""
    return reach(volumes_of, user, action, view=Action.VIEW_VOLUME, pk=volume_id)


def tenant_images_of(
    user: User, action: Action = Action.VIEW_TENANT_IMAGE
) -> QuerySet[TenantImage]:
    """What tenants may start of their own, where the person may do this."""
    rows = TenantImage.objects.filter(tenant_id__in=tenants_of(user, action).values("pk"))
    return rows.filter(withdrawn_at=None).annotate(tenant_slug=_tenant_slug())


def registry_logins_of(
    user: User, action: Action = Action.VIEW_REGISTRY_LOGIN
) -> QuerySet[RegistryLogin]:
    """Logins of the tenants in which the person may do this; those removed are history."""
    rows = RegistryLogin.objects.filter(tenant_id__in=tenants_of(user, action).values("pk"))
    # Whoever looks needs no password, sealed or not.
    rows = rows.filter(removed_at=None).defer("password_sealed")
    return rows.annotate(tenant_slug=_tenant_slug())


def registry_login_for(
    user: User, login_id: int, action: Action = Action.VIEW_REGISTRY_LOGIN
) -> RegistryLogin:
    """The login, if the person may see it and do this with it."""
    return reach(registry_logins_of, user, action, view=Action.VIEW_REGISTRY_LOGIN, pk=login_id)


def accounts_of(user: User, action: Action = Action.VIEW_ACCOUNT) -> QuerySet[Account]:
    """Billing accounts of the tenants in which the person may do this."""
    rows = Account.objects.filter(tenant_id__in=tenants_of(user, action).values("pk"))
    return rows.annotate(tenant_slug=_tenant_slug())


def account_for(user: User, account_id: int, action: Action = Action.VIEW_ACCOUNT) -> Account:
    """The billing account, if the person may see it and do this with it."""
    return reach(accounts_of, user, action, view=Action.VIEW_ACCOUNT, pk=account_id)


def invoices_of(user: User, action: Action = Action.VIEW_INVOICE) -> QuerySet[Invoice]:
    """Invoices of the tenants in which the person may do this; drafts are for staff only."""
    rows = Invoice.objects.filter(account__in=accounts_of(user, action))
    return rows if staff_may(user, action) else rows.exclude(state=Invoice.State.DRAFT)


def invoice_for(user: User, invoice_id: UUID, action: Action = Action.VIEW_INVOICE) -> Invoice:
    """The invoice, if the person may see it and do this with it."""
    return reach(invoices_of, user, action, view=Action.VIEW_INVOICE, pk=invoice_id)


def reach(
    rows_of: Callable[[User, Action], QuerySet[M]],
    user: User,
    action: Action,
    *,
    view: Action,
    **key: object,
) -> M:
    """Find one row among those the person may see, and ask whether they may do this with it."""
    # Asked first: who loses every role meanwhile is not told that something is there.
    is_allowed = action is view or _find(rows_of(user, action), **key) is not None
    row = pick(rows_of(user, view), **key)
    if not is_allowed:
        raise Forbidden
    return row


def pick(rows: QuerySet[M], **key: object) -> M:
    """Find the one row, or nothing: what is not among them is as if it did not exist."""
    found = _find(rows, **key)
    if found is None:
        raise NotFound
    return found


def _find(rows: QuerySet[M], **key: object) -> M | None:
    # PostgreSQL keeps no NUL, and would not even look for one.
    can_exist = not any("\x00" in str(value) for value in key.values())
    return rows.filter(**key).first() if can_exist else None


def may(user: User, tenant: Tenant, action: Action) -> bool:
    """Whether the person may do this somewhere in the tenant; for menus and buttons."""
    return projects_of(user, action).filter(tenant=tenant).exists() or (
        tenants_of(user, action).filter(pk=tenant.pk).exists()
    )


def _tenant_slug() -> Subquery:
    # Those below us keep the tenant's id only; people know it by its short name.
    return Subquery(Tenant.objects.filter(pk=OuterRef("tenant_id")).values("slug")[:1])


def _memberships(user: User, action: Action) -> QuerySet[Membership]:
    return memberships_of(user).filter(role__in=roles_allowing(action))


def _projects_opened_to(user: User, action: Action) -> QuerySet[Project]:
    roles = [role for role in PROJECT_ROLES if is_allowed(role=role, action=action)]
    rows = Project.objects.filter(memberships__user=user, memberships__role__in=roles)
    return rows if user.confined_to is None else rows.filter(tenant=user.confined_to)
