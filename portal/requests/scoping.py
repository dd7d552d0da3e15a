"""Quota requests and instance requests as one person may see them; see `portal.tenants.scoping`."""

from uuid import UUID

from django.db.models import QuerySet

from portal.requests.models import InstanceRequest, QuotaRequest
from portal.tenants import scoping
from portal.tenants.access import Action
from portal.tenants.models import User


def quota_requests_of(
    user: User, action: Action = Action.VIEW_QUOTA_REQUEST
) -> QuerySet[QuotaRequest]:
    """Quota requests with which the person may do this."""
    rows = QuotaRequest.objects.filter(project__in=scoping.projects_of(user, action))
    return rows.select_related("project__tenant", "family", "submitted_by", "decided_by")


def quota_request_for(
    user: User, quota_request_id: UUID, action: Action = Action.VIEW_QUOTA_REQUEST
) -> QuotaRequest:
    """The quota request, if the person may see it and do this with it."""
    return scoping.reach(
        quota_requests_of, user, action, view=Action.VIEW_QUOTA_REQUEST, pk=quota_request_id
    )


def instance_requests_of(
    user: User, action: Action = Action.VIEW_INSTANCE_REQUEST
) -> QuerySet[InstanceRequest]:
    """Instance requests with which the person may do this."""
    rows = InstanceRequest.objects.filter(project__in=scoping.projects_of(user, action))
    return rows.select_related(
        "project__tenant", "instance_type__family", "image", "submitted_by", "decided_by"
    )


def instance_request_for(
    user: User, instance_request_id: UUID, action: Action = Action.VIEW_INSTANCE_REQUEST
) -> InstanceRequest:
    """The instance request, if the person may see it and do this with it."""
    return scoping.reach(
        instance_requests_of,
        user,
        action,
        view=Action.VIEW_INSTANCE_REQUEST,
        pk=instance_request_id,
    )
