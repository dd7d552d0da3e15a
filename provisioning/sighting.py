"""Write what pods say, one after the other, within a transaction: the pod, its usage, the evidence.

`observing` opens the transaction and decides how much is trusted.  Trusting, whatever
contradicts what is written is raised, and nothing may be kept; otherwise each part has a
savepoint of its own, and a contradiction is put aside.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from billing.models import UsageInterval
from provisioning import attempts, health, unusable, usage, waking, witnessed
from provisioning.cluster.errors import QuotaExceeded
from provisioning.models import (
    Attempt,
    Instance,
    ObservedPod,
    TenantNamespace,
    UsageEvidence,
)
from provisioning.specs import OVER, Observation
from provisioning.states import Settlement, State
from provisioning.surroundings import Surroundings

logger = logging.getLogger(__name__)

_FIELDS: Final = tuple(field.name for field in fields(Observation))
# Once known these stay, even when a runtime that lost the container takes them back.
_RUN: Final = ("container_id", "started_at", "finished_at")
_OF_A_RUN: Final = (*_RUN, "phase", "container_state", "node_name", "devices", "is_gone")
_UNREMARKABLE: Final = frozenset({"resource_version"})


# What a later version may change of a pod's row.
_KEPT: Final = ("id", "cluster", "uid", "first_seen_at")
_CHANGING: Final = [
    column.name for column in ObservedPod._meta.concrete_fields if column.name not in _KEPT
]


@dataclass
class Round:
    """What is taken in within one transaction: against what, and what is still to be written."""

    surroundings: Surroundings
    at: datetime
    is_trusting: bool
    pods: dict[UUID, ObservedPod]
    # Columns of pods that are other than in the database.
    changed: dict[UUID, set[str]] = field(default_factory=dict)
    evidence: list[UsageEvidence] = field(default_factory=list)
    # Pods that hold devices, and runs that may be unusable, to be looked after.
    holding: list[ObservedPod] = field(default_factory=list)
    runs: list[UsageInterval] = field(default_factory=list)
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


def see_pod(of: Round, observations: Sequence[Observation]) -> bool:
    """Take in a pod's versions, all of one run: the last counts, with what those before it told.

    Returns whether they say anything new.
    """
    pod = of.pods.get(observations[-1].uid)
    before = _said(pod) if pod else {}
    pod = pod or _new_pod(of, observations[-1])
    is_first = pod.settlement == Settlement.NEVER_RAN and not pod.container_id
    _lose_other_run(of, pod, observations)
    for observation in observations:
        _take_over(pod, observation, of.at)
    said = _said(pod)
    news = {name for name in said if said[name] != before.get(name)}
    # A copy that somebody made by hand says it is of an instance too; nobody pays for it.
    owner = of.owner_of(pod) if news else None
    if not news.isdisjoint(_OF_A_RUN):
        _settle(of, pod, owner, before, is_first=is_first)
    _change(of, pod, *(news - {"is_gone"}), "resource_version", "seen_at", "gone_at")
    if owner:
        of.told.add(owner.pk)
    if pod.phase in OVER and before.get("phase") not in OVER:
        of.freed.add(pod.namespace)
    return bool(news)


def by_run(of: Round, observations: Iterable[Observation]) -> list[list[Observation]]:
    """Split a pod's versions where its container has been replaced by another."""
    runs: list[list[Observation]] = [[]]
    for observation in observations:
        pod = of.pods.get(observation.uid)
        ids = [one.container_id for one in runs[-1] if one.container_id]
        current = ids[-1] if ids else pod.container_id if pod else ""
        if runs[-1] and current and observation.container_id not in ("", current):
            runs.append([])
        runs[-1].append(observation)
    return runs


def lose_pod(of: Round, pod: ObservedPod) -> None:
    """Take in that a pod is there no more, and end what it still had open."""
    if pod.settlement == Settlement.OPEN:
        interval = usage.close_vanished(pod=pod, at=of.at)
        of.evidence.append(witnessed.evidence_of(pod=pod, kind=witnessed.VANISHED, at=of.at))
        of.runs += [interval] if interval else []
        pod.settlement = Settlement.CLOSED
    pod.gone_at = of.at
    _change(of, pod, "gone_at", "settlement")
    if owner := of.owner_of(pod):
        of.told.add(owner.pk)
    of.freed.add(pod.namespace)


def finish(of: Round) -> None:
    """Write what has been gathered, and let those hear of it whom it concerns."""
    _write_pods(of)
    if of.evidence:
        witnessed.write(of.evidence)
    _look_after_devices(of)
    tell_instances(of)


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


def _lose_other_run(of: Round, pod: ObservedPod, observations: Iterable[Observation]) -> None:
    """A container that was replaced in place has ended; `restartPolicy` says it cannot happen."""
    named = next((one.container_id for one in observations if one.container_id), "")
    is_other = named and pod.container_id != named
    if is_other and pod.container_id and pod.settlement == Settlement.OPEN:
        usage.close_vanished(pod=pod, at=of.at)
        of.evidence.append(witnessed.evidence_of(pod=pod, kind=witnessed.VANISHED, at=of.at))
    if is_other:
        pod.container_id, pod.started_at, pod.finished_at = "", None, None
        pod.witness_ref, pod.settlement = "", Settlement.NEVER_RAN
        _change(of, pod, "witness_ref", "settlement", *_RUN)


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
) -> None:
    settled = usage.settle_run(
        pod=pod,
        instance=owner,
        node=of.surroundings.node_of(pod),
        at=of.at,
        is_trusting=of.is_trusting,
        is_first=is_first,
    )
    pod.settlement = settled.settlement
    _change(of, pod, "settlement")
    kind = witnessed.kind_of(pod, before)
    if kind:
        of.evidence.append(witnessed.evidence_of(pod=pod, kind=kind, at=of.at))
    of.holding.append(pod)
    of.runs += [settled.interval] if settled.interval else []


def _change(of: Round, pod: ObservedPod, *columns: str) -> None:
    of.changed.setdefault(pod.uid, set()).update(columns)


def _write_pods(of: Round) -> None:
    pods = [of.pods[uid] for uid in of.changed]
    if len(pods) == 1:
        (pod,), (columns,) = pods, of.changed.values()
        pod.save(update_fields=sorted(columns) if pod.pk else None)
    elif pods:
        ObservedPod.objects.bulk_create(
            pods,
            update_conflicts=True,
            unique_fields=["cluster", "uid"],
            update_fields=_CHANGING,
        )


def _look_after_devices(of: Round) -> None:
    """Draw the conclusions about devices; metering does not wait for them."""
    news = health.news_of(pods=of.holding, surroundings=of.surroundings)
    # An outage that begins or ends with the news looks for its runs itself.
    concerned = unusable.concerned(of.runs)
    if not news and not concerned:
        return
    try:
        with transaction.atomic():
            for word in news:
                health.hear(word, at=of.at)
            for interval in concerned:
                unusable.refresh(interval=interval, at=of.at)
    except DatabaseError:
        if of.is_trusting or not connection.is_usable():
            raise
        logger.exception("%s: what they say of their devices could not be taken in", of.holding)
