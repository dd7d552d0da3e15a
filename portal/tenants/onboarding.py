"""Open a tenant: with its owner, its first project and the account we bill it on.

A tenant is never without the three; `portal.tenants.joining` brings in the others.
"""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from billing.accounts import open_account
from portal.tenants import slugs
from portal.tenants.access import Role
from portal.tenants.errors import NameMissing, SlugRefused, SlugTaken
from portal.tenants.models import Project, Tenant, User


@transaction.atomic
def open_tenant(*, name: str, owner: User, at: datetime, slug: str = "") -> Tenant:
    """Open a tenant; without a short name it gets a free one made from its name."""
    name = _named(name)
    wanted = _chosen(slug) or slugs.slug_from(name, fallback="tenant")
    tenant = _unless_taken(name, wanted, at)
    if tenant is None and not slug:
        tenant = _unless_taken(name, slugs.with_tail(wanted), at)
    if tenant is None:
        raise SlugTaken
    tenant.memberships.create(user=owner, role=Role.OWNER, created_at=at)
    with translation.override(owner.language):
        open_project(tenant=tenant, name=_("First project"), slug="first", at=at)
    open_account(tenant_id=tenant.pk, name=name, email=owner.email, at=at)
    return tenant


@transaction.atomic
def open_project(*, tenant: Tenant, name: str, at: datetime, slug: str = "") -> Project:
    """Open a project, to hold quota and instances of its own."""
    name = _named(name)
    chosen = _chosen(slug) or slugs.slug_from(name, fallback="project")
    try:
        with transaction.atomic():
            return tenant.projects.create(name=name, slug=chosen, created_at=at)
    except IntegrityError:
        raise SlugTaken from None


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise NameMissing
    return name


def _chosen(slug: str) -> str:
    if slug and not slugs.is_slug(slug):
        raise SlugRefused
    return slug


def _unless_taken(name: str, slug: str, at: datetime) -> Tenant | None:
    try:
        with transaction.atomic():
            return Tenant.objects.create(name=name, slug=slug, created_at=at)
    except IntegrityError:
        return None
