"""After a restore: name every difference between the books and the clusters, then settle all.

`compare` changes nothing.  `settle` takes the digest of what was looked at, so that what is
done is what somebody reviewed; a difference that came up since means looking again.
Provisioning settles each instance, the quota ledger follows what runs, and only then are the
clusters let go.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from portal.quotas import queries, reserving
from portal.quotas.models import Quota
from portal.tenants.models import Project
from provisioning import comparing, marking, settling
from provisioning.comparing import Comparison, Difference, Remedy
from provisioning.errors import ProvisioningError
from provisioning.models import Instance


class NotReviewed(ProvisioningError):
    """What differs now is not what was reviewed; look again."""

    code = "not_reviewed"


@dataclass(frozen=True)
class Settled:
    """What was brought right, and what a person has to see to."""

    instances: tuple[Instance, ...]
    left: tuple[tuple[Difference, str], ...]


def compare(*, at: datetime) -> Comparison:
    """Name what differs on the clusters that are held."""
    return comparing.compare_held(at=at)


def settle(*, accepted: str, by: str, at: datetime, give_up: bool = False) -> Settled:
    """Settle every difference and let the clusters go.

    Raises `NotReviewed`.  What cannot be settled is named and keeps the clusters held, unless
    it is given up: then its pods end as those of no known instance do, and finance finds
    their seconds put aside.
    """
    comparison = compare(at=at)
    if comparison.digest != accepted:
        raise NotReviewed
    done, left = [], []
    for difference in comparison.differences:
        try:
            done.append(_settle_one(difference, by, at))
        except (ProvisioningError, Project.DoesNotExist) as error:
            left.append((difference, str(error)))
    if give_up or not left:
        for hold in comparison.holds:
            marking.release(hold.cluster, by=by, at=at)
    return Settled(tuple(done), tuple(left))


@transaction.atomic
def _settle_one(difference: Difference, by: str, at: datetime) -> Instance:
    instance = settling.settle(difference=difference, at=at)
    if difference.remedy is Remedy.ADOPT:
        _reserve(instance, by, at)
    return instance


def _reserve(instance: Instance, by: str, at: datetime) -> None:
    """It runs, so it holds its devices, whether or not the grant behind it was forgotten too."""
    project, family = Project.objects.get(pk=instance.project_id), instance.instance_type.family
    if queries.open_reservations().filter(instance_id=instance.pk).exists():
        return
    Quota.objects.get_or_create(project=project, family=family, defaults={"created_at": at})
    quota = reserving.lock_quota(project=project, family=family)
    if quota is not None:
        reserving.enter_reservations(
            quota=quota, devices=instance.device_count, instance_ids=[instance.pk], at=at, by=by
        )
