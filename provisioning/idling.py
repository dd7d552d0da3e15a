"""Hint that an instance does not seem to use what it pays for.

Exporters tell how much each device does.  An instance all of whose devices have done nothing
for hours is told of, once a day and never stopped for it: what it is for, its tenant knows.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from provisioning import events
from provisioning.models import Allocation, Device, Instance, Node, Pool
from provisioning.states import State

IDLE_AFTER: Final = timedelta(hours=2)
# An exporter that has fallen silent says nothing about idleness.
HEARD_WITHIN: Final = timedelta(minutes=10)


def hear_busy(*, node: Node, pool: Pool, busy: Mapping[str, bool], at: datetime) -> None:
    """Take in which devices of a node do anything, as its exporter told just now."""
    told = node.devices.filter(pool=pool, device_id__in=busy)
    told.update(load_seen_at=at)
    told.filter(device_id__in=[name for name, is_busy in busy.items() if is_busy]).update(
        busy_at=at
    )


def idle_since(instance: Instance, *, at: datetime) -> datetime | None:
    """Return since when the instance uses none of its devices; None if it does, or who knows."""
    held = list(Allocation.objects.filter(instance=instance, ended_at=None))
    devices = [device for each in held if (device := _device_of(each))]
    if instance.state != State.RUNNING or not held or len(devices) < len(held):
        return None
    if any(d.load_seen_at is None or at - d.load_seen_at > HEARD_WITHIN for d in devices):
        return None
    begun = [each.started_at for each in held]
    since = max(begun + [device.busy_at for device in devices if device.busy_at is not None])
    return since if at - since >= IDLE_AFTER else None


def hint_at_idle(*, at: datetime) -> int:
    """Tell the tenants of idle instances, each at most once a day; says how many were told."""
    quiet = Device.objects.filter(load_seen_at__gte=at - HEARD_WITHIN).filter(
        Q(busy_at=None) | Q(busy_at__lte=at - IDLE_AFTER)
    )
    held = Allocation.objects.filter(ended_at=None, device_id__in=quiet.values("device_id"))
    running = Instance.objects.filter(pk__in=held.values("instance"), state=State.RUNNING)
    return sum(_hint(instance, at) for instance in running.order_by("pk"))


def _hint(instance: Instance, at: datetime) -> bool:
    since = idle_since(instance, at=at)
    if since is None:
        return False
    told = events.tell_tenant(
        kind="instance_idle",
        tenant_id=instance.tenant_id,
        instance_id=instance.pk,
        at=at,
        once=f"{since.isoformat()}/{(at - since).days}",
        instance=instance.name,
        since=since.isoformat(),
    )
    return told is not None


def _device_of(allocation: Allocation) -> Device | None:
    return Device.objects.filter(
        node__cluster=allocation.cluster_id,
        node__uid=allocation.node_uid,
        pool__resource_name=allocation.resource_name,
        device_id=allocation.device_id,
    ).first()
