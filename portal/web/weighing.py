"""What an approver should know before deciding: fit, queue, history, cost.

Only gathers; the decision is `portal.requests.approving`'s.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from billing import pricing
from billing.errors import UnknownSku
from billing.models import Account
from billing.pricing import Estimate
from portal.quotas.models import Quota
from portal.quotas.queries import Headroom, headroom, with_headroom
from portal.requests.models import InstanceRequest, QuotaRequest
from portal.web import estimating
from portal.web.estimating import DAYS_PER_MONTH, HOURS_PER_DAY, Outlook
from provisioning.models import Family, Instance, InstanceType
from provisioning.queries import FamilyCapacity
from provisioning.states import State


@dataclass(frozen=True)
class Case:
    """Everything that bears on one quota request."""

    room: Headroom
    pools: list[FamilyCapacity]
    granted_everywhere: int
    queued_instances: int
    queued_devices: int
    history: list[QuotaRequest]
    month: Estimate | None

    @property
    def total(self) -> int:
        """Devices of the family in all clusters."""
        return sum(pool.total for pool in self.pools)

    @property
    def free(self) -> int:
        """Devices nobody holds now."""
        return sum(pool.free for pool in self.pools)


def case_of(wish: QuotaRequest, *, at: datetime) -> Case:
    """Gather what bears on a quota request."""
    queued = Instance.objects.filter(
        instance_type__family=wish.family_id, state=State.QUEUED
    ).aggregate(devices=Sum("device_count"))
    earlier = QuotaRequest.objects.filter(project__tenant=wish.project.tenant_id)
    return Case(
        room=headroom(project=wish.project, family=wish.family),
        pools=estimating.pools_of(wish.family.slug, at=at),
        granted_everywhere=_granted_everywhere(wish.family),
        queued_instances=Instance.objects.filter(
            instance_type__family=wish.family_id, state=State.QUEUED
        ).count(),
        queued_devices=queued["devices"] or 0,
        history=list(
            earlier.exclude(pk=wish.pk)
            .select_related("family", "project", "decided_by")
            .order_by("-submitted_at")[:10]
        ),
        month=_month_of(wish, at=at),
    )


def outlook_of(wish: InstanceRequest, *, at: datetime) -> Outlook:
    """What launching a held request now would mean, its lease counted from now."""
    ends_at = wish.ends_at if wish.ends_at and wish.ends_at > at else None
    return estimating.look_ahead(
        project=wish.project,
        instance_type=wish.instance_type,
        count=wish.count,
        ends_at=ends_at,
        at=at,
    )


def _granted_everywhere(family: Family) -> int:
    quotas = with_headroom(Quota.objects.filter(family=family))
    return sum(quota.granted for quota in quotas)  # type: ignore[attr-defined]


def _month_of(wish: QuotaRequest, *, at: datetime) -> Estimate | None:
    """What 30 days at full use would cost, at the price of the family's smallest type."""
    account = Account.objects.filter(tenant_id=wish.project.tenant_id).first()
    kind = InstanceType.objects.filter(family=wish.family_id, is_retired=False).first()
    if account is None or kind is None:
        return None
    try:
        return pricing.estimate_cost(
            account_id=account.pk,
            sku_code=kind.sku_code,
            quantity=wish.devices,
            hours=HOURS_PER_DAY * DAYS_PER_MONTH,
            at=at,
        )
    except UnknownSku:
        return None
