"""Who is here: people, tenants and their projects, and the keys to the API."""

from portal.tenants.models.tenants import Membership, Project, ProjectMembership, Tenant
from portal.tenants.models.tokens import ApiToken
from portal.tenants.models.users import PlatformRole, User, UserManager

__all__ = [
    "ApiToken",
    "Membership",
    "PlatformRole",
    "Project",
    "ProjectMembership",
    "Tenant",
    "User",
    "UserManager",
]
