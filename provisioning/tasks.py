"""Doors for Celery: read the clock, make one call.  Each may run twice or at the same time."""

from celery import shared_task
from django.utils import timezone

from provisioning import (
    claiming,
    deferring,
    examining,
    exporters,
    idling,
    reconciling,
    reminding,
    routing,
    sweeping,
)
from provisioning.models import Cluster


@shared_task(name=deferring.DRAIN_DUE)
def drain_due() -> None:
    """Answer a hint."""
    reconciling.drain_due(clock=timezone.now)
    claiming.drain_due(clock=timezone.now)
    routing.follow_ports(at=timezone.now())


@shared_task(name=deferring.SWEEP)
def sweep() -> None:
    """Find what no hint told of."""
    sweeping.sweep(clock=timezone.now)


# It waits for pods, so it may take longer than what is asked of others.
@shared_task(name=deferring.EXAMINE, soft_time_limit=110, time_limit=118)
def examine_cluster(cluster_id: int) -> None:
    """Examine a cluster somebody has claimed for it."""
    cluster = Cluster.objects.filter(pk=cluster_id, examination_started_at__isnull=False).first()
    if cluster is not None:
        examining.carry_out(cluster=cluster, clock=timezone.now)


@shared_task(name=deferring.READ_EXPORTERS)
def read_exporters() -> None:
    """Ask the vendors' exporters how the devices are."""
    exporters.read_exporters(clock=timezone.now)


@shared_task(name=deferring.REMIND)
def remind() -> None:
    """Tell of ends that come near, and of devices that lie idle."""
    reminding.remind_of_ends(at=timezone.now())
    idling.hint_at_idle(at=timezone.now())
