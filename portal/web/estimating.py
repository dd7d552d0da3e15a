"""What a wish for instances would mean, before it is sent: cost, quota, free devices, a person.

Asks the domain the same questions the launch will ask, and writes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing import pricing
from billing.errors import UnknownSku
from billing.models import Account
from billing.pricing import Estimate
from portal.quotas.queries import Headroom, headroom
from portal.requests import limits, policies
from portal.tenants.models import Project
from provisioning import maintaining, queries, waiting
from provisioning.models import InstanceType, MaintenanceWindow
from provisioning.queries import FamilyCapacity

HOURS_PER_DAY = 24
DAYS_PER_MONTH = 30


@dataclass(frozen=True)
class Outlook:
    """What the wish would take and cost."""

    instance_type: InstanceType
    count: int
    room: Headroom
    pools: list[FamilyCapacity]
    hold_reasons: list[policies.HoldReason]
    hour: Estimate | None
    day: Estimate | None
    month: Estimate | None
    lease: Estimate | None
    substitutes: list[waiting.Substitute]
    windows: list[MaintenanceWindow]

    @property
    def devices(self) -> int:
        """Devices in all."""
        return self.instance_type.device_count * self.count

    @property
    def fits_quota(self) -> bool:
        """Whether the project's quota has room."""
        return self.devices <= self.room.free

    @property
    def free_now(self) -> int:
        """Free devices in the clusters."""
        return sum(pool.free for pool in self.pools)

    @property
    def oldest(self) -> FamilyCapacity | None:
        """The pool of which we have heard nothing for longest."""
        ages = {pool.state_age_seconds: pool for pool in self.pools}
        if None in ages or not ages:
            return ages.get(None)
        return ages[max(age for age in ages if age is not None)]

    @property
    def starts_at_once(self) -> bool:
        """Whether some cluster has room for each instance now, as far as is known."""
        per_instance = self.instance_type.device_count
        return sum(pool.free // per_instance for pool in self.pools) >= self.count


def look_ahead(
    *,
    project: Project,
    instance_type: InstanceType,
    count: int,
    ends_at: datetime | None,
    at: datetime,
) -> Outlook:
    """Work out what asking for this now would mean."""
    account = Account.objects.filter(tenant_id=project.tenant_id).first()
    devices = instance_type.device_count * count

    def cost(hours: Decimal | int) -> Estimate | None:
        return _cost(account, instance_type, devices, hours, at)

    lease = ends_at - at if ends_at else None
    return Outlook(
        instance_type=instance_type,
        count=count,
        room=headroom(project=project, family=instance_type.family),
        pools=pools_of(instance_type.family.slug, at=at),
        hold_reasons=policies.hold_reasons(
            devices=devices, lease=lease, limits=limits.limits_in_force()
        ),
        hour=cost(1),
        day=cost(HOURS_PER_DAY),
        month=cost(HOURS_PER_DAY * DAYS_PER_MONTH),
        lease=cost(Decimal(int(lease.total_seconds())) / 3600) if lease else None,
        substitutes=_substitutes(instance_type, count, at),
        windows=list(
            maintaining.windows_for_launch(
                family_slug=instance_type.family.slug, ends_at=ends_at, at=at
            )
        ),
    )


def pools_of(family_slug: str, *, at: datetime) -> list[FamilyCapacity]:
    """Where the family's devices are, and how many are free."""
    return [pool for pool in queries.capacity(at=at) if pool.family_slug == family_slug]


def _substitutes(kind: InstanceType, count: int, at: datetime) -> list[waiting.Substitute]:
    """What else could start at once, where this could not."""
    if waiting.could_start(kind, at=at) >= count:
        return []
    return [each for each in waiting.substitutes_for(kind, at=at) if each.could_start >= count]


def _cost(
    account: Account | None, kind: InstanceType, devices: int, hours: Decimal | int, at: datetime
) -> Estimate | None:
    if account is None:
        return None
    try:
        return pricing.estimate_cost(
            account_id=account.pk, sku_code=kind.sku_code, quantity=devices, hours=hours, at=at
        )
    except UnknownSku:
        return None
