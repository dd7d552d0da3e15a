"""The catalogue as somebody reads it: families and their types with price and free devices.

Joins what provisioning offers with what billing asks for it; both are only read.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing import money as billing_money
from billing import pricing, taxing
from portal.requests.offering import rates_by_sku
from provisioning import queries
from provisioning.models import Family, InstanceType
from provisioning.queries import FamilyCapacity


@dataclass(frozen=True)
class OfferedType:
    """One instance type and what an hour of it costs, without VAT."""

    instance_type: InstanceType
    device_rate: Decimal | None

    @property
    def hourly_price(self) -> Decimal | None:
        """The price of an hour of the whole instance."""
        if self.device_rate is None:
            return None
        return self.device_rate * self.instance_type.device_count


@dataclass(frozen=True)
class OfferedFamily:
    """One family: its types, and where how many of its devices are free."""

    family: Family
    types: list[OfferedType]
    pools: list[FamilyCapacity]

    @property
    def lowest_price(self) -> Decimal | None:
        """What the smallest instance costs an hour."""
        prices = [offer.hourly_price for offer in self.types if offer.hourly_price is not None]
        return min(prices, default=None)

    @property
    def total(self) -> int:
        """Devices in all clusters that take pods."""
        return sum(pool.total for pool in self.pools)

    @property
    def free(self) -> int:
        """Healthy devices nobody holds."""
        return sum(pool.free for pool in self.pools)

    @property
    def smallest_type(self) -> int:
        """The fewest devices one instance can have."""
        return min(offer.instance_type.device_count for offer in self.types)

    @property
    def largest_type(self) -> int:
        """The most devices one instance can have."""
        return max(offer.instance_type.device_count for offer in self.types)


def families(*, at: datetime, account_id: int | None = None) -> list[OfferedFamily]:
    """Everything on offer, at the account's prices, else at the list's."""
    rates = rates_by_sku(at=at, account_id=account_id)
    pools: defaultdict[str, list[FamilyCapacity]] = defaultdict(list)
    for pool in queries.capacity(at=at):
        pools[pool.family_slug].append(pool)
    offered: defaultdict[Family, list[OfferedType]] = defaultdict(list)
    for kind in offered_types():
        offered[kind.family].append(OfferedType(kind, rates.get(kind.sku_code)))
    return [OfferedFamily(family, types, pools[family.slug]) for family, types in offered.items()]


def offered_types() -> list[InstanceType]:
    """Instance types one can ask for, by vendor and size."""
    rows = InstanceType.objects.filter(is_retired=False).select_related("family__vendor")
    return list(rows.order_by("family__vendor__name", "family__name", "device_count"))


@dataclass(frozen=True)
class Example:
    """What some hours of the smallest instance would cost at the list price."""

    name: str
    devices: int
    seconds: int
    rate: Decimal
    net: int
    tax: int
    total: int


def example(offered: list[OfferedFamily], *, seconds: int = 3 * 3600 + 25 * 60) -> Example | None:
    """A worked example at today's list price, by the very rule that bills."""
    priced = [offer for family in offered for offer in family.types if offer.device_rate]
    if not priced:
        return None
    offer = next((one for one in priced if one.instance_type.device_count > 1), priced[0])
    devices, rate = offer.instance_type.device_count, offer.device_rate or Decimal(0)
    net = billing_money.charge_for(device_seconds=seconds * devices, hourly_rate=rate)
    tax = taxing.tax_on(net_amount=net, tax_rate=pricing.tax_rate_now())
    return Example(offer.instance_type.name, devices, seconds, rate, net, tax, net + tax)
