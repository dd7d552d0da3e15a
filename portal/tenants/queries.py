"""What those below and above ask of tenants."""

from portal.tenants.models import Project


def project_names(*, tenant_id: int) -> dict[int, str]:
    """The present names of a tenant's projects, for documents that keep a copy."""
    return dict(Project.objects.filter(tenant=tenant_id).values_list("pk", "name"))
