"""Write what a pod says: the pod, its usage and the evidence for it, in one transaction.

Called by the watcher alone.  The instance is told that there is something to look at, and
a worker is asked to look; what it means is concluded there.
"""

import logging
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError, connection, transaction
from django.db.models import F

from provisioning import attempts, deferring, health, unusable, usage, witnessed
from provisioning.cluster.errors import QuotaExceeded
from provisioning.models import Cluster, Instance, Node, ObservedPod, TenantNamespace
from provisioning.specs import OVER, Observation
from provisioning.states import Settlement, State

logger = logging.getLogger(__name__)

_FIELDS: Final = tuple(field.name for field in fields(Observation))
# Once known these stay, even when a runtime that lost the container takes them back.
_RUN: Final = ("container_id", "started_at", "finished_at")
_OF_A_RUN: Final = (*_RUN, "phase", "container_state", "node_name", "devices", "is_gone")
_UNREMARKABLE: Final = frozenset({"resource_version"})


@transaction.atomic
def observe_pod(*, cluster: Cluster, observation: Observation, at: datetime) -> bool:
    """Write one pod at one version; returns whether it says anything new."""
    pod = ObservedPod.objects.filter(cluster=cluster, uid=observation.uid).first()
    is_known = pod and pod.resource_version == observation.resource_version and not pod.gone_at
    # A claim can tell of its devices later than the pod does of itself.
    if pod and is_known and (pod.devices or not observation.devices):
        return False
    before = _said(pod) if pod else {}
    pod = pod or ObservedPod(cluster=cluster, uid=observation.uid, first_seen_at=at)
    _lose_other_run(pod, observation, at)
    _take_over(pod, observation, at)
    # A copy that somebody made by hand says it is of an instance too; nobody pays for it.
    instance = attempts.owner_of(pod)
    said = _said(pod)
    is_new = said != before
    is_of_run = any(said[name] != before.get(name) for name in _OF_A_RUN)
    if is_of_run:
        _settle(pod, instance, before, at)
    pod.save()
    if is_of_run:
        _look_after_devices(pod, at)
    if is_new and instance:
        tell_instance(instance, at=at)
    if observation.is_over and before.get("phase") not in OVER:
        wake_refused(pod.namespace, at=at)
    return is_new


@transaction.atomic
def miss_pod(*, pod: ObservedPod, at: datetime) -> None:
    """Write that a pod is there no more, and end what it still had open."""
    if pod.settlement == Settlement.OPEN:
        usage.close_vanished(pod=pod, at=at)
        witnessed.add_evidence(pod=pod, kind=witnessed.VANISHED, at=at)
        pod.settlement = Settlement.CLOSED
    pod.gone_at = at
    pod.save(update_fields=["gone_at", "settlement"])
    _look_after_devices(pod, at)
    instance = attempts.owner_of(pod)
    if instance:
        tell_instance(instance, at=at)
    wake_refused(pod.namespace, at=at)


def wake_refused(namespace: str, *, at: datetime) -> None:
    """Let those try again whom the namespace's quota had no room for: a pod of it has ended."""
    tenants = TenantNamespace.objects.filter(name=namespace).values("tenant_id")
    waiting = Instance.objects.filter(
        tenant_id__in=tenants, state=State.QUEUED, reason=QuotaExceeded.code
    )
    if waiting.update(observation_seq=F("observation_seq") + 1, next_reconcile_at=at):
        deferring.defer_drain()


def tell_instance(instance: Instance, *, at: datetime) -> None:
    """Let somebody look at the instance, once this is committed."""
    Instance.objects.filter(pk=instance.pk).update(
        observation_seq=F("observation_seq") + 1, next_reconcile_at=at
    )
    deferring.defer_drain()


def _said(pod: ObservedPod) -> dict[str, Any]:
    said = {name: getattr(pod, name) for name in _FIELDS if name not in _UNREMARKABLE}
    return {**said, "is_gone": pod.gone_at is not None}


def _lose_other_run(pod: ObservedPod, observation: Observation, at: datetime) -> None:
    """A container that was replaced in place has ended; `restartPolicy` says it cannot happen."""
    is_other = observation.container_id and pod.container_id != observation.container_id
    if is_other and pod.container_id and pod.settlement == Settlement.OPEN:
        usage.close_vanished(pod=pod, at=at)
        witnessed.add_evidence(pod=pod, kind=witnessed.VANISHED, at=at)
    if is_other:
        pod.container_id, pod.started_at, pod.finished_at = "", None, None
        pod.witness_ref, pod.settlement = "", Settlement.NEVER_RAN


def _take_over(pod: ObservedPod, observation: Observation, at: datetime) -> None:
    said = asdict(observation)
    for name in _RUN:
        said[name] = said[name] or getattr(pod, name)
    # Ids are told once; a later status without them takes nothing back.
    said["devices"] = _devices(pod, observation) or pod.devices
    for name, value in said.items():
        setattr(pod, name, value)
    pod.seen_at, pod.gone_at = at, None


def _devices(pod: ObservedPod, observation: Observation) -> list[dict[str, Any]]:
    """Return what is told of devices; what has not changed was told when it was first told."""
    before = {(one["resource_name"], one["device_id"]): one for one in pod.devices}
    devices = [asdict(device) for device in observation.devices]
    for device in devices:
        known = before.get((device["resource_name"], device["device_id"]))
        if known and known["health"] == device["health"]:
            device["told_at"] = known.get("told_at", "")
    return devices


def _look_after_devices(pod: ObservedPod, at: datetime) -> None:
    """Draw the conclusions about devices; metering does not wait for them."""
    try:
        with transaction.atomic():
            health.hear_from_pod(pod=pod, at=at)
            unusable.refresh_pod(pod=pod, at=at)
    except DatabaseError:
        if not connection.is_usable():
            raise
        logger.exception("%s: what it says of its devices could not be taken in", pod)


def _settle(
    pod: ObservedPod, instance: Instance | None, before: dict[str, Any], at: datetime
) -> None:
    node = Node.objects.filter(
        cluster=pod.cluster_id, name=pod.node_name, gone_at__isnull=True
    ).first()
    pod.settlement = usage.settle_run(pod=pod, instance=instance, node=node, at=at)
    kind = witnessed.kind_of(pod, before)
    if kind:
        witnessed.add_evidence(pod=pod, kind=kind, at=at)
