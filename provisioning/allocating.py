"""Keep which devices a run held, from when to when.

The times are the usage interval's own.  A device that shows up under a new run has left
the old one, whatever became of the old one's end; two exact runs on one device at one time
cannot both be true, and the later fact is put aside.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction

from billing import metering, quarantining
from billing.facts import FactProblem, RunFact
from billing.models import UsageInterval
from provisioning import witnessed
from provisioning.models import Allocation, Instance, Node, ObservedPod


def record_devices(
    *,
    pod: ObservedPod,
    instance: Instance,
    interval: UsageInterval,
    node: Node | None,
    fact: RunFact,
    at: datetime,
) -> None:
    """Open, or bring up to date, the run's allocations."""
    try:
        with transaction.atomic():
            if node is not None and not Allocation.objects.filter(interval=interval).exists():
                _open(pod, instance, interval, node, at)
            _end(interval)
    except IntegrityError:
        quarantining.put_aside(fact=fact, problem=FactProblem.OVERLAP, at=at)


def hold_devices(
    *,
    pod: ObservedPod,
    instance: Instance,
    interval: UsageInterval,
    node: Node | None,
    is_first: bool,
) -> None:
    """Do the same trusting that the devices are free: raises IntegrityError where they are not.

    `is_first` says that none can be written down for the run yet.
    """
    if not is_first and _end(interval):
        return
    if node is None or not pod.devices:
        return
    if is_first or without_devices([interval.pk]):
        Allocation.objects.bulk_create(_allocations(pod, instance, interval, node))


def without_devices(interval_ids: Collection[int]) -> set[int]:
    """Return those of the intervals for which no device is written down."""
    rows = Allocation.objects.filter(interval__in=interval_ids)
    return set(interval_ids) - set(rows.values_list("interval", flat=True))


def end_devices(*, interval: UsageInterval) -> None:
    """Give the run's devices back at the end the ledger has."""
    _end(interval)


def _open(
    pod: ObservedPod, instance: Instance, interval: UsageInterval, node: Node, at: datetime
) -> None:
    allocations = _allocations(pod, instance, interval, node)
    for allocation in allocations:
        _end_predecessor(allocation, at)
    Allocation.objects.bulk_create(allocations)


def _allocations(
    pod: ObservedPod, instance: Instance, interval: UsageInterval, node: Node
) -> list[Allocation]:
    return [
        Allocation(
            cluster_id=pod.cluster_id,
            node_uid=node.uid,
            node_name=node.name,
            resource_name=device["resource_name"],
            device_id=device["device_id"],
            instance=instance,
            interval=interval,
            started_at=interval.started_at,
            ended_at=interval.ended_at,
        )
        for device in pod.devices
    ]


def _end_predecessor(successor: Allocation, at: datetime) -> None:
    held = Allocation.objects.filter(
        cluster=successor.cluster_id,
        node_uid=successor.node_uid,
        resource_name=successor.resource_name,
        device_id=successor.device_id,
        started_at__lte=successor.started_at,
        ended_at__isnull=True,
    ).exclude(interval=successor.interval)
    for allocation in held.select_related("interval"):
        before = allocation.interval
        closed = metering.close_unproved(
            source=before.source,
            holder_uid=before.holder_uid,
            run_id=before.run_id,
            reason="device_reassigned",
            at=successor.started_at,
        )
        if closed is not None:
            _end(closed)
            _say_superseded(before, at)


def _say_superseded(interval: UsageInterval, at: datetime) -> None:
    pod = ObservedPod.objects.filter(cluster=interval.source, uid=interval.holder_uid).first()
    if pod is not None:
        witnessed.add_evidence(pod=pod, kind=witnessed.SUPERSEDED, at=at)


def _end(interval: UsageInterval) -> bool:
    """Give the devices back at the interval's end; returns whether any was held beyond it."""
    if interval.ended_at is None:
        return False
    held = Allocation.objects.filter(interval=interval).exclude(ended_at=interval.ended_at)
    return bool(held.update(ended_at=interval.ended_at))
