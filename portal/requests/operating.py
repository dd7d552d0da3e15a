"""What tenants do with instances they have: stop, start again, extend, terminate.

Who may is settled by the caller, with `portal.requests.scoping`.  Starting takes quota
again; stopping gives it back only once the instance has really ended, which is
`portal.quotas.releasing`'s affair.
"""

from datetime import datetime

from django.db import transaction

from portal.quotas import reserving
from portal.requests import policies
from portal.requests.errors import LeaseTooLong
from portal.requests.limits import limits_in_force
from portal.tenants.models import Project, User
from provisioning import images, moving, stopping
from provisioning.models import Instance


def stop_instance(*, instance: Instance, at: datetime) -> Instance:
    """Wish that it stops; it may be started again."""
    return stopping.stop_instance(instance=instance, at=at)


@transaction.atomic
def start_instance(*, instance: Instance, by: User, at: datetime) -> Instance:
    """Reserve its devices again and wish that it runs."""
    images.require_still_allowed(instance)
    # The quota's lock comes before the instance's: a late release of the launch before
    # then either ran, or will see that the instance no longer stands ended.
    reserving.reserve_quota(
        project=Project.objects.get(pk=instance.project_id),
        family=instance.instance_type.family,
        devices=instance.device_count,
        instance_id=instance.pk,
        at=at,
        by=by.email,
    )
    return stopping.start_instance(instance=instance, at=at)


def move_instance(*, instance: Instance, at: datetime) -> Instance:
    """Wish that it gives up its devices for others; its quota stays reserved."""
    return moving.move_instance(instance=instance, at=at)


def extend_lease(*, instance: Instance, ends_at: datetime | None, at: datetime) -> Instance:
    """Move the end of its lease, no further off than a new request may ask without a person."""
    reasons = policies.hold_reasons(
        devices=0, lease=None if ends_at is None else ends_at - at, limits=limits_in_force()
    )
    if reasons:
        raise LeaseTooLong
    return stopping.extend_lease(instance=instance, ends_at=ends_at, at=at)


def terminate_instance(*, instance: Instance, at: datetime) -> Instance:
    """Wish that it goes for good."""
    return stopping.terminate_instance(instance=instance, at=at)
