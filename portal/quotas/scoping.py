"""Quotas as one person may see them; see `portal.tenants.scoping`."""

from django.db.models import QuerySet

from portal.quotas.models import Quota
from portal.tenants import scoping
from portal.tenants.access import Action
from portal.tenants.models import User


def quotas_of(user: User, action: Action = Action.VIEW_QUOTA) -> QuerySet[Quota]:
    """Quotas of the projects in which the person may do this."""
    rows = Quota.objects.filter(project__in=scoping.projects_of(user, action))
    return rows.select_related("project__tenant", "family")


def quota_for(user: User, quota_id: int, action: Action = Action.VIEW_QUOTA) -> Quota:
    """The quota, if the person may see it and do this with it."""
    return scoping.reach(quotas_of, user, action, view=Action.VIEW_QUOTA, pk=quota_id)
