"""Write what pods say, one after the other, within a transaction: the pod, its usage, the evidence.

`observing` opens the transaction and decides how much is trusted.  Trusting, whatever
contradicts what is written is raised, and nothing may be kept; otherwise each part has a
savepoint of its own, and a contradiction is put aside.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from billing.models import UsageInterval
from provisioning import attempts, health, unusable, usage, waking, witnessed
from provisioning.cluster.errors import QuotaExceeded
from provisioning.models import Attempt, Instance, ObservedPod, TenantNamespace
from provisioning.specs import OVER, Observation
from provisioning.states import Settlement, State
from provisioning.surroundings import Surroundings

logger = logging.getLogger(__name__)

_FIELDS: Final = tuple(field.name for field in fields(Observation))
# Once known these stay, even when a runtime that lost the container takes them back.
_RUN: Final = ("container_id", "started_at", "finished_at")
_OF_A_RUN: Final = (*_RUN, "phase", "container_state", "node_name", "devices", "is_gone")
_UNREMARKABLE: Final = frozenset({"resource_version"})


@dataclass
class Round:
    """What is taken in within one transaction: against what, and who is to hear of it."""

    surroundings: Surroundings
    at: datetime
    is_trusting: bool
    pods: dict[UUID, ObservedPod]
    told: set[UUID] = field(default_factory=set)
    # Namespaces in which a pod has ended, or gone.
    freed: set[str] = field(default_factory=set)
    _attempts: dict[tuple[str, str], Attempt] = field(default_factory=dict)
    _looked_up: set[str] = field(default_factory=set)

    def owner_of(self, pod: ObservedPod) -> Instance | None:
        """Return the instance whose attempt a pod is: who pays for it, whatever its labels say."""
        self.look_up_attempts({pod.name})
        tried = self._attempts.get((pod.namespace, pod.name))
        attempt = attempts.attempt_of(pod, [tried] if tried else [])
        return attempt.instance if attempt else None

    def look_up_attempts(self, names: set[str]) -> None:
        """Read the attempts behind pods of these names, as far as they have not been read."""
        if unknown := names - self._looked_up:
            rows = Attempt.objects.filter(
                cluster=self.surroundings.cluster, pod_name__in=sorted(unknown)
            )
            for attempt in rows.select_related("instance"):
                self._attempts[(attempt.namespace, attempt.pod_name)] = attempt
            self._looked_up |= unknown


def says_nothing(of: Round, observation: Observation) -> bool:
    """Say whether the pod is known at this very version."""
    pod = of.pods.get(observation.uid)
    if pod is None or pod.gone_at or pod.resource_version != observation.resource_version:
        return False
    # A claim can tell of its devices later than the pod does of itself.
    return bool(pod.devices or not observation.devices)


def says_nothing_new(of: Round, observation: Observation) -> bool:
    """Say whether nothing but the version is another."""
    pod = of.pods.get(observation.uid)
    if pod is None or pod.gone_at is not None:
        return False
    merged = _merged(pod, observation)
    return all(getattr(pod, name) == merged[name] for name in _FIELDS if name not in _UNREMARKABLE)


def see_pod(of: Round, observation: Observation) -> bool:
    """Write one pod at one version; returns whether it says anything new."""
    pod = of.pods.get(observation.uid)
    before = _said(pod) if pod else {}
    pod = pod or _new_pod(of, observation)
    is_first = pod.settlement == Settlement.NEVER_RAN and not pod.container_id
    _lose_other_run(of, pod, observation)
    version = pod.resource_version
    _take_over(pod, observation, of.at)
    said = _said(pod)
    news = {name for name in said if said[name] != before.get(name)}
    # A copy that somebody made by hand says it is of an instance too; nobody pays for it.
    owner = of.owner_of(pod) if news else None
    interval = None
    if not news.isdisjoint(_OF_A_RUN):
        interval = _settle(of, pod, owner, before, is_first=is_first)
    _save(pod, news, is_at_new_version=pod.resource_version != version)
    if not news.isdisjoint(_OF_A_RUN):
        _look_after_devices(of, pod, interval)
    if owner:
        of.told.add(owner.pk)
    if observation.is_over and before.get("phase") not in OVER:
        of.freed.add(pod.namespace)
    return bool(news)


def lose_pod(of: Round, pod: ObservedPod) -> None:
    """Write that a pod is there no more, and end what it still had open."""
    interval = None
    if pod.settlement == Settlement.OPEN:
        interval = usage.close_vanished(pod=pod, at=of.at)
        witnessed.add_evidence(pod=pod, kind=witnessed.VANISHED, at=of.at)
        pod.settlement = Settlement.CLOSED
    pod.gone_at = of.at
    pod.save(update_fields=["gone_at", "settlement"])
    _look_after_devices(of, pod, interval)
    if owner := of.owner_of(pod):
        of.told.add(owner.pk)
    of.freed.add(pod.namespace)


def tell_instances(of: Round) -> None:
    """Let somebody look at those concerned, once this is committed."""
    if of.told:
        waking.wake(Instance.objects.filter(pk__in=of.told), at=of.at)
    if of.freed:
        waking.wake(_refused_in(of.freed), at=of.at)


def _refused_in(namespaces: Iterable[str]) -> QuerySet[Instance]:
    """Return those whom a namespace's quota had no room for."""
    tenants = TenantNamespace.objects.filter(name__in=sorted(namespaces)).values("tenant_id")
    return Instance.objects.filter(
        tenant_id__in=tenants, state=State.QUEUED, reason=QuotaExceeded.code
    )


def _new_pod(of: Round, observation: Observation) -> ObservedPod:
    pod = ObservedPod(cluster=of.surroundings.cluster, uid=observation.uid, first_seen_at=of.at)
    of.pods[pod.uid] = pod
    return pod


def _said(pod: ObservedPod) -> dict[str, Any]:
    said = {name: getattr(pod, name) for name in _FIELDS if name not in _UNREMARKABLE}
    return {**said, "is_gone": pod.gone_at is not None}


def _lose_other_run(of: Round, pod: ObservedPod, observation: Observation) -> None:
    """A container that was replaced in place has ended; `restartPolicy` says it cannot happen."""
    is_other = observation.container_id and pod.container_id != observation.container_id
    if is_other and pod.container_id and pod.settlement == Settlement.OPEN:
        usage.close_vanished(pod=pod, at=of.at)
        witnessed.add_evidence(pod=pod, kind=witnessed.VANISHED, at=of.at)
    if is_other:
        pod.container_id, pod.started_at, pod.finished_at = "", None, None
        pod.witness_ref, pod.settlement = "", Settlement.NEVER_RAN


def _take_over(pod: ObservedPod, observation: Observation, at: datetime) -> None:
    for name, value in _merged(pod, observation).items():
        setattr(pod, name, value)
    pod.seen_at, pod.gone_at = at, None


def _merged(pod: ObservedPod, observation: Observation) -> dict[str, Any]:
    said = asdict(observation)
    for name in _RUN:
        said[name] = said[name] or getattr(pod, name)
    # Ids are told once; a later status without them takes nothing back.
    said["devices"] = _devices(pod, said["devices"]) or pod.devices
    return said


def _devices(pod: ObservedPod, told: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is told of devices; what has not changed was told when it was first told."""
    before = {(one["resource_name"], one["device_id"]): one for one in pod.devices}
    devices = list(told)
    for device in devices:
        known = before.get((device["resource_name"], device["device_id"]))
        if known and known["health"] == device["health"]:
            device["told_at"] = known.get("told_at", "")
    return devices


def _settle(
    of: Round,
    pod: ObservedPod,
    owner: Instance | None,
    before: Mapping[str, Any],
    *,
    is_first: bool,
) -> UsageInterval | None:
    settled = usage.settle_run(
        pod=pod,
        instance=owner,
        node=of.surroundings.node_of(pod),
        at=of.at,
        is_trusting=of.is_trusting,
        is_first=is_first,
    )
    pod.settlement = settled.settlement
    kind = witnessed.kind_of(pod, before)
    if kind:
        witnessed.add_evidence(pod=pod, kind=kind, at=of.at)
    return settled.interval


def _save(pod: ObservedPod, news: Iterable[str], *, is_at_new_version: bool) -> None:
    if pod.pk is None:
        pod.save()
        return
    changed = {*news, "gone_at", "seen_at", "settlement", "witness_ref"} - {"is_gone"}
    pod.save(update_fields=sorted(changed | ({"resource_version"} if is_at_new_version else set())))


def _look_after_devices(of: Round, pod: ObservedPod, interval: UsageInterval | None) -> None:
    """Draw the conclusions about devices; metering does not wait for them."""
    news = health.news_of(pod=pod, surroundings=of.surroundings)
    if interval is not None and not unusable.concerns(interval=interval, pod=pod):
        # An outage that begins or ends with the news looks for its runs itself.
        interval = None
    if not news and interval is None:
        return
    try:
        with transaction.atomic():
            for word in news:
                health.hear(word, at=of.at)
            if interval is not None:
                unusable.refresh(interval=interval, at=of.at)
    except DatabaseError:
        if not connection.is_usable():
            raise
        logger.exception("%s: what it says of its devices could not be taken in", pod)
