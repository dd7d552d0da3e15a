"""Gather what one pass may know of an instance: rows in, a `Situation` out.

`Pass` keeps the rows beside it, for `carrying` needs them to act.  Nothing here asks a
cluster: what it said last is in `ObservedPod`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from provisioning import installation, namespacing
from provisioning.leasing import Claim
from provisioning.models import Attempt, Cluster, Instance, Node, ObservedPod
from provisioning.names import Marks
from provisioning.states import ENDED, AttemptState, Desired, Settlement, State
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
    situation: Situation

    @property
    def instance(self) -> Instance:
        """Return the instance as it was claimed."""
        return self.claim.instance

    @property
    def clusters(self) -> set[Cluster]:
        """Return the clusters on which something of the instance may be."""
        return {a.cluster for a in self.attempts if a.state != AttemptState.GONE}

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
        return next(a for a in self.attempts if (a.no == seen.attempt_no if seen else a.uid == uid))

    def pod(self, uid: UUID) -> ObservedPod | None:
        """Return a present pod by its UID."""
        return next((pod for pod in self.pods if pod.uid == uid), None)


def gather(claim: Claim, *, at: datetime) -> Pass:
    """Read what this pass is about."""
    instance = claim.instance
    seen = list(ObservedPod.objects.filter(instance_id=instance.pk).order_by("attempt_no", "pk"))
    attempts = tuple(
        instance.attempts.select_related("cluster", "pool__family__vendor").order_by("no")
    )
    ours = [pod for pod in seen if _is_ours(pod, attempts)]
    present = tuple(pod for pod in ours if pod.gone_at is None)
    attempt = attempts[-1] if attempts else None
    marks = installation.current()
    return Pass(
        claim=claim,
        at=at,
        marks=marks,
        attempt=attempt,
        attempts=attempts,
        pods=present,
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
            pods=tuple(_pod_views(present)),
            vanished=tuple(_vanished(attempts, ours)),
            attempts_lately=_count(attempts, instance, since=at - LATELY, created=True),
            attempts_refused=_count(attempts, instance, since=at - LATELY, created=False),
            listed_at=attempt.cluster.last_list_at if attempt else None,
            is_namespace_ready=_is_namespace_ready(instance, attempt, marks),
        ),
    )


def _is_ours(pod: ObservedPod, attempts: Iterable[Attempt]) -> bool:
    """Tell our pod from one that merely carries our labels."""
    return any(
        attempt.no == pod.attempt_no
        and attempt.cluster_id == pod.cluster_id
        and attempt.spec_hash == pod.spec_hash
        for attempt in attempts
    )


def _vanished(attempts: Iterable[Attempt], pods: list[ObservedPod]) -> Iterable[int]:
    for attempt in attempts:
        mine = [pod for pod in pods if pod.attempt_no == attempt.no]
        if attempt.state != AttemptState.GONE and mine and all(pod.gone_at for pod in mine):
            yield attempt.no


def _count(
    attempts: Iterable[Attempt], instance: Instance, *, since: datetime, created: bool
) -> int:
    return sum(
        attempt.launch_no == instance.launch_no
        and attempt.intended_at > since
        and (attempt.created_at is not None) is created
        for attempt in attempts
    )


def _is_namespace_ready(instance: Instance, attempt: Attempt | None, marks: Marks) -> bool:
    if instance.state != State.PROVISIONING or attempt is None:
        return False
    return namespacing.is_ready(cluster=attempt.cluster, tenant_id=instance.tenant_id, marks=marks)


def _attempt_view(attempt: Attempt | None) -> AttemptView | None:
    if attempt is None:
        return None
    return AttemptView(
        no=attempt.no,
        state=AttemptState(attempt.state),
        uid=attempt.uid,
        created_at=attempt.created_at,
    )


def _pod_views(pods: tuple[ObservedPod, ...]) -> Iterable[PodView]:
    silent = _silent_nodes(pods)
    for pod in pods:
        yield PodView(
            uid=pod.uid,
            attempt_no=pod.attempt_no or 0,
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
        )


def _silent_nodes(pods: tuple[ObservedPod, ...]) -> set[tuple[int, str]]:
    """Return the nodes that do not answer or are gone; one not listed yet may be new."""
    names = {pod.node_name for pod in pods if pod.node_name}
    if not names:
        return set()
    latest = {
        (node.cluster_id, node.name): node
        for node in Node.objects.filter(name__in=names).order_by("seen_at")
    }
    return {key for key, node in latest.items() if node.gone_at or not node.is_ready}
