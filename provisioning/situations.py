"""Gather what one pass may know of an instance: rows in, a `Situation` out.

`Pass` keeps the rows beside it, for `carrying` needs them to act.  Nothing here asks a
cluster: what it said last is in `ObservedPod`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q, prefetch_related_objects

from provisioning import attempts, faults, installation, marking, namespacing
from provisioning.leasing import Claim
from provisioning.models import (
    Attempt,
    Cluster,
    ClusterState,
    Instance,
    Node,
    NodeCapacity,
    ObservedPod,
    Transition,
)
from provisioning.names import Marks
from provisioning.states import ENDED, AttemptState, Desired, Settlement, State, Supply, VolumeState
from provisioning.steps import Move
from provisioning.views import AttemptView, PodView, Situation

LATELY: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One pass over one instance: the rows it read and what they amount to."""

    claim: Claim
    at: datetime
    marks: Marks
    attempt: Attempt | None
    attempts: tuple[Attempt, ...]
    pods: tuple[ObservedPod, ...]
    is_held: bool
    """Whether nothing may be done on a cluster on which something of the instance may be."""
    situation: Situation

    @property
    def instance(self) -> Instance:
        """Return the instance as it was claimed."""
        return self.claim.instance

    def after(self, move: Move) -> "Pass":
        """Return the same pass in the state it has just concluded."""
        before = self.situation
        situation = replace(
            before,
            state=move.to,
            state_since=self.at,
            reason=move.reason,
            failures=0,
            settled_launch_no=before.launch_no if move.to in ENDED else before.settled_launch_no,
        )
        return replace(self, situation=situation)

    def attempt_of(self, uid: UUID) -> Attempt:
        """Return the attempt a pod is of: a pod of ours has its attempt's name."""
        seen = self.pod(uid)
        found = attempts.attempt_of(seen, self.attempts) if seen else None
        return found or next(a for a in self.attempts if a.uid == uid)

    def pod(self, uid: UUID) -> ObservedPod | None:
        """Return a present pod by its UID."""
        return next((pod for pod in self.pods if pod.uid == uid), None)


def gather_all(claims: Sequence[Claim], *, at: datetime) -> list[Pass]:
    """Read what the passes over several instances are about, together."""
    read = _read([claim.instance for claim in claims], since=at - LATELY)
    return [_pass(claim, read, at) for claim in claims]


@dataclass(frozen=True, kw_only=True)
class _Read:
    """The rows of several instances, by instance."""

    marks: Marks
    tried: Mapping[UUID, tuple[Attempt, ...]]
    seen: Mapping[UUID, list[ObservedPod]]
    spared: Mapping[UUID, dict[int, str]]
    silent: Set[tuple[int, str]]
    held: Set[int]
    ready: dict[tuple[int, int], bool]


def _read(instances: Sequence[Instance], *, since: datetime) -> _Read:
    # What a pod is made of, should one have to be created.
    prefetch_related_objects(instances, "instance_type", "secrets", "volumes__volume")
    by_id = {instance.pk: instance for instance in instances}
    tried: defaultdict[UUID, list[Attempt]] = defaultdict(list)
    attempted = Attempt.objects.filter(instance__in=instances).order_by("no")
    for attempt in attempted.select_related("cluster", "pool__family__vendor"):
        attempt.instance = by_id[attempt.instance_id]
        tried[attempt.instance_id].append(attempt)
    seen: defaultdict[UUID, list[ObservedPod]] = defaultdict(list)
    for pod in ObservedPod.objects.filter(instance_id__in=by_id).order_by("attempt_no", "pk"):
        if pod.instance_id is not None:
            seen[pod.instance_id].append(pod)
    return _Read(
        marks=installation.current(),
        tried={pk: tuple(tried[pk]) for pk in by_id},
        seen=seen,
        spared=_spared(instances, tried, since=since),
        silent=_silent_nodes(pod for pods in seen.values() for pod in pods),
        held=set(marking.held_clusters().values_list("pk", flat=True)) if tried else set(),
        ready={},
    )


def _pass(claim: Claim, read: _Read, at: datetime) -> Pass:
    instance, tried = claim.instance, read.tried[claim.instance.pk]
    # Not a pod that merely carries our labels: `orphaned` sees to those.
    seen = read.seen.get(instance.pk, [])
    ours = {pod: of for pod in seen if (of := attempts.attempt_of(pod, tried))}
    present = tuple(pod for pod in ours if pod.gone_at is None)
    attempt = tried[-1] if tried else None
    since = at - LATELY
    spared = read.spared.get(instance.pk, {})
    return Pass(
        claim=claim,
        at=at,
        marks=read.marks,
        attempt=attempt,
        attempts=tried,
        pods=present,
        is_held=any(a.state != AttemptState.GONE and a.cluster_id in read.held for a in tried),
        situation=Situation(
            seed=instance.pk.int,
            desired=Desired(instance.desired),
            launch_no=instance.launch_no,
            settled_launch_no=instance.settled_launch_no,
            has_lease_ended=instance.ends_at is not None and instance.ends_at <= at,
            state=State(instance.state),
            state_since=instance.state_since,
            reason=instance.reason,
            failures=instance.failures,
            attempt=_attempt_view(attempt),
            pods=tuple(_pod_views(ours, silent=read.silent)),
            vanished=tuple(_vanished(ours, tried)),
            attempts_lately=_count(tried, instance, since=since, created=True) - len(spared),
            attempts_refused=_count(tried, instance, since=since, created=False),
            disruptions_lately=sum(why in faults.DISRUPTED for why in spared.values()),
            supply=_supply(instance, attempt, present),
            listed_at=attempt.cluster.last_list_at if attempt else None,
            is_namespace_ready=_is_namespace_ready(instance, attempt, read),
            lost_volumes=tuple(_lost_volumes(instance)),
        ),
    )


def _vanished(pods: Mapping[ObservedPod, Attempt], tried: Iterable[Attempt]) -> Iterable[int]:
    for attempt in tried:
        mine = [pod for pod, of in pods.items() if of == attempt]
        if attempt.state != AttemptState.GONE and mine and all(pod.gone_at for pod in mine):
            yield attempt.no


def _spared(
    instances: Iterable[Instance], tried: Mapping[UUID, Sequence[Attempt]], *, since: datetime
) -> dict[UUID, dict[int, str]]:
    """Return the attempts that ended through no fault of their instance, and why."""
    lately = {
        (instance.pk, attempt.no)
        for instance in instances
        for attempt in tried.get(instance.pk, ())
        if attempt.launch_no == instance.launch_no and attempt.intended_at > since
    }
    if not lately:
        return {}
    ends = Transition.objects.filter(
        instance__in={pk for pk, _ in lately},
        to_state=State.RECOVERING,
        reason__in=faults.DISRUPTED | faults.UNCOUNTED,
    )
    spared: defaultdict[UUID, dict[int, str]] = defaultdict(dict)
    for pk, no, reason in ends.values_list("instance", "attempt_no", "reason"):
        if (pk, no) in lately:
            spared[pk][no] = reason
    return spared


def _supply(instance: Instance, attempt: Attempt | None, present: Iterable[ObservedPod]) -> Supply:
    """Say whether any node could ever hold a pod that fits on none now."""
    is_unfit = any(pod.unschedulable_message for pod in present)
    if instance.state != State.SCHEDULING or attempt is None or not is_unfit:
        return Supply.HERE
    able = NodeCapacity.objects.filter(
        node__gone_at__isnull=True, capacity__gte=instance.device_count
    )
    if able.filter(pool=attempt.pool_id).exists():
        return Supply.HERE
    active = Q(pool__family=attempt.pool.family_id, pool__cluster__state=ClusterState.ACTIVE)
    return Supply.ELSEWHERE if able.filter(active).exists() else Supply.NOWHERE


def _count(
    attempts: Iterable[Attempt], instance: Instance, *, since: datetime, created: bool
) -> int:
    return sum(
        attempt.launch_no == instance.launch_no
        and attempt.intended_at > since
        and (attempt.created_at is not None) is created
        for attempt in attempts
    )


def _is_namespace_ready(instance: Instance, attempt: Attempt | None, read: _Read) -> bool:
    if instance.state != State.PROVISIONING or attempt is None:
        return False
    return _knows_namespace(read, attempt.cluster, instance.tenant_id)


def _knows_namespace(read: _Read, cluster: Cluster, tenant_id: int) -> bool:
    key = cluster.pk, tenant_id
    if key not in read.ready:
        read.ready[key] = namespacing.is_ready(
            cluster=cluster, tenant_id=tenant_id, marks=read.marks
        )
    return read.ready[key]


def _lost_volumes(instance: Instance) -> list[str]:
    mounted = (mount.volume for mount in instance.volumes.all())
    return sorted(volume.name for volume in mounted if volume.state == VolumeState.LOST)


def _attempt_view(attempt: Attempt | None) -> AttemptView | None:
    if attempt is None:
        return None
    return AttemptView(
        no=attempt.no,
        state=AttemptState(attempt.state),
        uid=attempt.uid,
        created_at=attempt.created_at,
        is_leaving=attempt.leave_wished_at is not None,
        is_lost=attempt.lost_at is not None,
    )


def _pod_views(
    pods: Mapping[ObservedPod, Attempt], *, silent: Set[tuple[int, str]]
) -> Iterable[PodView]:
    for pod, attempt in pods.items():
        if pod.gone_at is not None:
            continue
        yield PodView(
            uid=pod.uid,
            attempt_no=attempt.no,
            phase=pod.phase,
            reason=pod.reason,
            message=pod.message,
            is_scheduled=bool(pod.node_name),
            unschedulable_message=pod.unschedulable_message,
            disruption_reason=pod.disruption_reason,
            container_state=pod.container_state,
            waiting_reason=pod.waiting_reason,
            waiting_message=pod.waiting_message,
            exit_code=pod.exit_code,
            exit_reason=pod.exit_reason,
            is_deleting=pod.is_deleting,
            has_finalizer=pod.has_finalizer,
            settlement=Settlement(pod.settlement),
            is_node_ready=(pod.cluster_id, pod.node_name) not in silent,
            unhealthy_devices=tuple(
                device["device_id"] for device in pod.devices if device["health"] == "Unhealthy"
            ),
        )


def _silent_nodes(pods: Iterable[ObservedPod]) -> set[tuple[int, str]]:
    """Return the nodes that do not answer or are gone; one not listed yet may be new."""
    names = {pod.node_name for pod in pods if pod.node_name and pod.gone_at is None}
    if not names:
        return set()
    latest = {
        (node.cluster_id, node.name): node
        for node in Node.objects.filter(name__in=names).order_by("seen_at")
    }
    return {key for key, node in latest.items() if node.gone_at or not node.is_ready}
