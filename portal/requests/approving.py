"""Decide wishes: the one door for pages and API.

Approving a quota request writes quota and nothing else; approving a held instance request
reserves and launches in the same transaction, so it is never approved without both.  Who
may decide is settled by the caller, with `portal.tenants.scoping`; that nobody decides for
a tenant of their own is settled here, because it is public money.
"""

from datetime import datetime
from typing import TypeVar

from django.db import transaction
from django.db.models import Q

from portal.quotas import granting
from portal.quotas.errors import DevicesOutOfRange
from portal.requests import fulfilling
from portal.requests.errors import ConflictOfInterest, MoreThanAsked, ReasonMissing
from portal.requests.models import Decidable, InstanceRequest, QuotaRequest, State
from portal.tenants.models import Project, Tenant, User
from provisioning.models import Instance

D = TypeVar("D", bound=Decidable)


@transaction.atomic
def approve_quota_request(
    *,
    quota_request: QuotaRequest,
    by: User,
    at: datetime,
    devices: int | None = None,
    reason: str = "",
) -> QuotaRequest:
    """Grant what was asked, or fewer devices as a counter-offer."""
    granted = quota_request.devices if devices is None else devices
    if granted <= 0:
        raise DevicesOutOfRange
    if granted > quota_request.devices:
        raise MoreThanAsked
    _require_outsider(quota_request, quota_request.project, by=by)
    quota_request.decide(
        state=State.APPROVED, by=by, at=at, reason=reason.strip(), granted_devices=granted
    )
    granting.grant_quota(
        project=quota_request.project,
        family=quota_request.family,
        devices=granted,
        quota_request_id=quota_request.pk,
        by=by,
        at=at,
    )
    return quota_request


def reject_quota_request(
    *, quota_request: QuotaRequest, reason: str, by: User, at: datetime
) -> QuotaRequest:
    """Refuse it, and say why."""
    return _reject(quota_request, quota_request.project, reason=reason, by=by, at=at)


def withdraw_quota_request(*, quota_request: QuotaRequest, by: User, at: datetime) -> QuotaRequest:
    """Take it back before anybody decides."""
    return quota_request.decide(state=State.WITHDRAWN, by=by, at=at)


@transaction.atomic
def approve_request(
    *, instance_request: InstanceRequest, by: User, at: datetime, reason: str = ""
) -> list[Instance]:
    """Let a held request go: reserve its quota and launch its instances."""
    _require_outsider(instance_request, instance_request.project, by=by)
    instance_request.decide(state=State.APPROVED, by=by, at=at, reason=reason.strip())
    return fulfilling.launch_requested(instance_request=instance_request, at=at)


def reject_request(
    *, instance_request: InstanceRequest, reason: str, by: User, at: datetime
) -> InstanceRequest:
    """Refuse a held request, and say why."""
    rejected = _reject(instance_request, instance_request.project, reason=reason, by=by, at=at)
    fulfilling.forget_secrets(instance_request=rejected)
    return rejected


def withdraw_request(
    *, instance_request: InstanceRequest, by: User, at: datetime
) -> InstanceRequest:
    """Take a held request back before anybody decides."""
    return instance_request.decide(state=State.WITHDRAWN, by=by, at=at, secrets_sealed=None)


def _reject(wish: D, project: Project, *, reason: str, by: User, at: datetime) -> D:
    if not reason.strip():
        raise ReasonMissing
    _require_outsider(wish, project, by=by)
    return wish.decide(state=State.REJECTED, by=by, at=at, reason=reason.strip())


def _require_outsider(wish: Decidable, project: Project, *, by: User) -> None:
    theirs = Q(memberships__user=by) | Q(projects__memberships__user=by)
    is_member = Tenant.objects.filter(theirs, pk=project.tenant_id).exists()
    # Who asked and then left the tenant is no outsider either.
    if is_member or wish.submitted_by_id == by.pk:
        raise ConflictOfInterest
