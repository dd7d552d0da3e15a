"""Change what is wished of an instance: stop, start again, terminate, extend its lease.

Only the wish is written here, under the row's lock; `reconciling` carries it out.
A wish already made is no error: the second click finds it done.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import F

from provisioning import deferring, events, marking
from provisioning.errors import IllegalTransition, LeaseInPast, RetiredInstanceType
from provisioning.models import Instance
from provisioning.states import Desired, State


def stop_instance(*, instance: Instance, at: datetime) -> Instance:
    """Wish that the instance stops; it may be started again."""
    return _wish(instance, Desired.STOPPED, at)


def terminate_instance(*, instance: Instance, at: datetime) -> Instance:
    """Wish that the instance goes for good."""
    return _wish(instance, Desired.TERMINATED, at)


@transaction.atomic
def start_instance(*, instance: Instance, at: datetime) -> Instance:
    """Wish that a stopped or failed instance runs again, as a new launch."""
    fresh = Instance.objects.select_for_update().select_related("instance_type").get(pk=instance.pk)
    if fresh.desired == Desired.TERMINATED or fresh.state not in (State.STOPPED, State.FAILED):
        raise IllegalTransition(f"It is {fresh.state}.")
    if fresh.launch_no > fresh.settled_launch_no:
        raise IllegalTransition("It is being started already.")
    if fresh.instance_type.is_retired:
        raise RetiredInstanceType(fresh.instance_type.slug)
    if fresh.ends_at is not None and fresh.ends_at <= at:
        raise LeaseInPast
    Instance.objects.filter(pk=fresh.pk).update(
        desired=Desired.RUNNING,
        generation=F("generation") + 1,
        launch_no=F("launch_no") + 1,
        launched_at=at,
        failures=0,
        next_reconcile_at=at,
    )
    # Whoever starts it again has seen what was wrong.
    fresh.dead_letters.filter(closed_at=None).update(closed_at=at, closed_by="started again")
    return _committed(instance)


@transaction.atomic
def extend_lease(*, instance: Instance, ends_at: datetime | None, at: datetime) -> Instance:
    """Move the end of the instance's lease; None takes the end away."""
    if ends_at is not None and ends_at <= at:
        raise LeaseInPast
    fresh = Instance.objects.select_for_update().get(pk=instance.pk)
    if fresh.desired == Desired.TERMINATED:
        raise IllegalTransition(f"It is {fresh.state}.")
    Instance.objects.filter(pk=fresh.pk).update(ends_at=ends_at)
    return _committed(instance)


def stop_expired(*, at: datetime) -> int:
    """Stop every instance whose lease has ended, and say how many.

    Stopped and not terminated: a tenant who comes back late extends the lease and starts again.
    """
    expired = Instance.objects.filter(desired=Desired.RUNNING, ends_at__lte=at)
    # What an old database takes for the end may have been moved since.
    forgotten = marking.instances_on_held()
    stopped = 0
    for instance in (
        expired.exclude(state=State.STOPPED).exclude(pk__in=forgotten).order_by("ends_at")
    ):
        stopped += _stop_expired(instance, at)
    return stopped


@transaction.atomic
def _stop_expired(instance: Instance, at: datetime) -> bool:
    # Extended in the meantime?  Then it goes on.
    is_stopped = _wish_if(
        instance,
        Desired.STOPPED,
        at,
        still=lambda row: (
            row.desired == Desired.RUNNING and row.ends_at is not None and row.ends_at <= at
        ),
    )
    if is_stopped:
        events.tell_tenant(
            kind="lease_ended",
            tenant_id=instance.tenant_id,
            instance_id=instance.pk,
            at=at,
            instance=instance.name,
        )
    return is_stopped


def _wish(instance: Instance, desired: Desired, at: datetime) -> Instance:
    _wish_if(instance, desired, at, still=lambda row: True)
    instance.refresh_from_db()
    return instance


@transaction.atomic
def _wish_if(
    instance: Instance, desired: Desired, at: datetime, *, still: Callable[[Instance], bool]
) -> bool:
    fresh = Instance.objects.select_for_update().get(pk=instance.pk)
    if fresh.desired == desired or not still(fresh):
        return False
    if fresh.desired == Desired.TERMINATED:
        raise IllegalTransition("It is being terminated.")
    Instance.objects.filter(pk=fresh.pk).update(
        desired=desired, generation=F("generation") + 1, next_reconcile_at=at
    )
    deferring.defer_drain()
    return True


def _committed(instance: Instance) -> Instance:
    deferring.defer_drain()
    instance.refresh_from_db()
    return instance
