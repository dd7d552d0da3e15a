"""Find what a page's address names: a tenant, and a thing that must be inside it.

Rests on the scoping of the domain.  A thing of another tenant under this tenant's address
is not found, even when the person may see both.
"""

from uuid import UUID

from django.db.models import QuerySet

from billing.models import Account, Invoice
from portal.requests.models import InstanceRequest, QuotaRequest
from portal.requests.scoping import instance_request_for, quota_request_for
from portal.tenants.access import Action
from portal.tenants.errors import Forbidden, NotFound
from portal.tenants.models import Membership, Project, Tenant, User
from portal.tenants.scoping import (
    accounts_of,
    instance_for,
    invoice_for,
    member_for,
    projects_of,
    registry_login_for,
    tenant_for,
    volume_for,
    volumes_of,
)
from provisioning.models import Instance, RegistryLogin, Volume
from provisioning.states import VolumeState


def projects_in(user: User, tenant: Tenant, action: Action) -> QuerySet[Project]:
    """The tenant's projects in which the person may do this: at least one."""
    projects = projects_of(user, action).filter(tenant=tenant).order_by("name")
    if not projects.exists():
        raise Forbidden
    return projects


def instance_in(
    user: User, slug: str, instance_id: UUID, action: Action = Action.VIEW_INSTANCE
) -> tuple[Tenant, Instance]:
    """The tenant and an instance of it."""
    tenant = tenant_for(user, slug)
    instance = instance_for(user, instance_id, action)
    _require_inside(tenant, instance.tenant_id)
    return tenant, instance


def volumes_in(user: User, tenant: Tenant) -> QuerySet[Volume]:
    """The tenant's volumes the person may attach to an instance."""
    rows = volumes_of(user, Action.MANAGE_VOLUME).filter(tenant_id=tenant.pk, is_wanted=True)
    return rows.exclude(state=VolumeState.LOST).order_by("name")


def volume_in(
    user: User, slug: str, volume_id: UUID, action: Action = Action.VIEW_VOLUME
) -> tuple[Tenant, Volume]:
    """The tenant and a volume of it."""
    tenant = tenant_for(user, slug)
    volume = volume_for(user, volume_id, action)
    _require_inside(tenant, volume.tenant_id)
    return tenant, volume


def registry_login_in(
    user: User, slug: str, login_id: int, action: Action
) -> tuple[Tenant, RegistryLogin]:
    """The tenant and its login to a registry."""
    tenant = tenant_for(user, slug)
    login = registry_login_for(user, login_id, action)
    _require_inside(tenant, login.tenant_id)
    return tenant, login


def quota_request_in(
    user: User, slug: str, quota_request_id: UUID, action: Action
) -> tuple[Tenant, QuotaRequest]:
    """The tenant and a quota request of it."""
    tenant = tenant_for(user, slug)
    wish = quota_request_for(user, quota_request_id, action)
    _require_inside(tenant, wish.project.tenant_id)
    return tenant, wish


def instance_request_in(
    user: User, slug: str, instance_request_id: UUID, action: Action = Action.VIEW_INSTANCE_REQUEST
) -> tuple[Tenant, InstanceRequest]:
    """The tenant and an instance request of it."""
    tenant = tenant_for(user, slug)
    wish = instance_request_for(user, instance_request_id, action)
    _require_inside(tenant, wish.project.tenant_id)
    return tenant, wish


def member_in(
    user: User, slug: str, membership_id: int, action: Action
) -> tuple[Tenant, Membership]:
    """The tenant and a member of it."""
    tenant = tenant_for(user, slug)
    membership = member_for(user, membership_id, action)
    _require_inside(tenant, membership.tenant_id)
    return tenant, membership


def account_in(user: User, slug: str, action: Action) -> tuple[Tenant, Account]:
    """The tenant and the account we bill it on."""
    tenant = tenant_for(user, slug)
    account = accounts_of(user, action).filter(tenant_id=tenant.pk).first()
    if account is None:
        raise Forbidden
    return tenant, account


def account_of(tenant: Tenant) -> Account | None:
    """The account a tenant is billed on, for prices; no permission is asked."""
    return Account.objects.filter(tenant_id=tenant.pk).first()


def invoice_in(user: User, slug: str, invoice_id: UUID) -> tuple[Tenant, Invoice]:
    """The tenant and an invoice of it."""
    tenant = tenant_for(user, slug)
    invoice = invoice_for(user, invoice_id)
    _require_inside(tenant, invoice.account.tenant_id)
    return tenant, invoice


def _require_inside(tenant: Tenant, tenant_id: int) -> None:
    if tenant.pk != tenant_id:
        raise NotFound
