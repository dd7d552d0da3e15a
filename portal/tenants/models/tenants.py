"""Tenants, their projects, and who belongs to them."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.tenants.access import PROJECT_ROLES, Role
from portal.tenants.models.users import User


class Tenant(models.Model):
    """One row is one organisation that signs and pays."""

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("short name"), max_length=48, unique=True)
    created_at = models.DateTimeField(_("opened"))

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One row makes one person a member of one tenant, in one role."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(
        _("role"),
        max_length=16,
        choices=[
            (Role.OWNER.value, _("Owner")),
            (Role.MANAGER.value, _("Manager")),
            (Role.MEMBER.value, _("Member")),
            (Role.BILLING.value, _("Billing")),
            (Role.VIEWER.value, _("Viewer")),
        ],
    )
    created_at = models.DateTimeField(_("joined"))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in Role]),
                name="membership_role_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}: {self.role}"


class Project(models.Model):
    """One row is a part of a tenant that holds quota and instances."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("short name"), max_length=48)
    created_at = models.DateTimeField(_("opened"))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tenant", "slug"], name="project_slug_once_per_tenant"),
        ]

    def __str__(self) -> str:
        return self.name


class ProjectMembership(models.Model):
    """One row opens one project, and nothing else of its tenant, to one person."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="project_memberships")
    role = models.CharField(
        _("role"),
        max_length=16,
        choices=[(Role.MEMBER.value, _("Member")), (Role.VIEWER.value, _("Viewer"))],
    )
    created_at = models.DateTimeField(_("joined"))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "user"], name="project_membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in PROJECT_ROLES]),
                name="project_membership_role_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}: {self.role}"
