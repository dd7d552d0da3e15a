"""What a project was granted, holds, and may still take."""

from dataclasses import dataclass

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from portal.quotas.models import Quota, QuotaEntry
from portal.tenants.models import Project
from provisioning.models import Family

_GRANTING = (QuotaEntry.Kind.GRANT, QuotaEntry.Kind.ADJUST)


@dataclass(frozen=True)
class Headroom:
    """Devices of one family: granted to a project, reserved by its instances."""

    granted: int
    reserved: int

    @property
    def free(self) -> int:
        """What may still be reserved."""
        return self.granted - self.reserved


def headroom(*, project: Project, family: Family) -> Headroom:
    """What a project has of a family; nothing, where no quota was opened."""
    entries = QuotaEntry.objects.filter(quota__project=project, quota__family=family)
    return headroom_in(entries)


def headroom_in(entries: QuerySet[QuotaEntry]) -> Headroom:
    """Add up the entries of one quota."""
    sums = entries.aggregate(
        granted=Coalesce(Sum("delta", filter=Q(kind__in=_GRANTING)), 0),
        reserved=Coalesce(-Sum("delta", filter=~Q(kind__in=_GRANTING)), 0),
    )
    return Headroom(granted=sums["granted"], reserved=sums["reserved"])


def with_headroom(quotas: QuerySet[Quota]) -> QuerySet[Quota]:
    """Give every quota its `granted`, `reserved` and `free` in one query, for lists."""
    granting = Q(entries__kind__in=_GRANTING)
    return quotas.annotate(
        granted=Coalesce(Sum("entries__delta", filter=granting), 0),
        reserved=Coalesce(-Sum("entries__delta", filter=~granting), 0),
    ).annotate(free=F("granted") - F("reserved"))


def open_reservations() -> QuerySet[QuotaEntry]:
    """Reservations no release has ended."""
    return QuotaEntry.objects.filter(kind=QuotaEntry.Kind.RESERVE, release__isnull=True)
