"""Bring one instance of a restored database in line with what its clusters really have.

What runs is taken on: the attempt we forgot, or the whole instance, read from the pod's own
words.  What does not run is wished stopped; nothing is begun and no pod is ended here: once
the hold is released, `reconciling` goes on from rows that are true again.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from provisioning import attaching, events, recalling, recording
from provisioning.comparing import Difference, Pod, Remedy
from provisioning.errors import ProvisioningError
from provisioning.leasing import Claim
from provisioning.models import (
    Attempt,
    Instance,
    ObservedPod,
)
from provisioning.states import ENDED, AttemptState, Desired, Settlement, State
from provisioning.steps import AT_ONCE, Move

REASON: Final = "database_restored"
LEASE: Final = timedelta(seconds=60)
A_DAY: Final = timedelta(days=1)
# From any state that is not for good to the one in which a pod is looked at.
_ANEW: Final = (State.PROVISIONING, State.SCHEDULING)
_WAYS: Final[Mapping[State, tuple[State, ...]]] = {
    State.QUEUED: _ANEW,
    State.PROVISIONING: (State.SCHEDULING,),
    State.SCHEDULING: (),
    State.STARTING: (State.RECOVERING, *_ANEW),
    State.RUNNING: (State.RECOVERING, *_ANEW),
    State.UNREACHABLE: (State.RECOVERING, *_ANEW),
    State.RECOVERING: _ANEW,
    State.STOPPED: (State.QUEUED, *_ANEW),
    State.FAILED: (State.QUEUED, *_ANEW),
}


class Busy(ProvisioningError):
    """Somebody is working on the instance at this moment."""

    code = "instance_busy"
    retryable = True


@transaction.atomic
def settle(*, difference: Difference, at: datetime) -> Instance:
    """Write what the difference says; the caller reserves quota for what runs.

    Raises `CannotRecreate`, `Busy`.
    """
    pods = sorted(difference.pods, key=lambda pod: pod.attempt_no)
    instance = Instance.objects.filter(pk=difference.instance_id).first()
    if instance is None:
        instance = recalling.recreate(pods[-1], reason=REASON, at=at)
    claim = _claim(instance, at)
    for pod in pods:
        _take_attempt(instance, pod, at)
    if difference.remedy is Remedy.EXTEND:
        _extend(claim, at)
    elif difference.remedy is Remedy.ADOPT:
        _go_on(claim, pods, at)
        if instance.ends_at is not None and instance.ends_at <= at:
            _extend(claim, at)
    elif instance.desired == Desired.RUNNING:
        _wish(claim, desired=Desired.STOPPED, generation=instance.generation + 1)
    recording.hand_back(claim, at=at, again=AT_ONCE)
    Instance.objects.filter(pk=instance.pk).update(next_reconcile_at=at)
    instance.refresh_from_db()
    return instance


def _extend(claim: Claim, at: datetime) -> None:
    """Nobody knows the end any more; a day is enough for its tenant to say."""
    _wish(claim, ends_at=at + A_DAY)
    events.tell_tenant(
        kind="lease_ending",
        tenant_id=claim.instance.tenant_id,
        instance_id=claim.instance.pk,
        at=at,
        instance=claim.instance.name,
        ends_at=(at + A_DAY).isoformat(),
    )


def _claim(instance: Instance, at: datetime) -> Claim:
    token = uuid.uuid4()
    fresh = Instance.objects.select_for_update().get(pk=instance.pk)
    if fresh.lease_until is not None and fresh.lease_until > at:
        raise Busy
    Instance.objects.filter(pk=instance.pk).update(lease_token=token, lease_until=at + LEASE)
    return Claim(instance, token, runs_out_at=0.0)


def _wish(claim: Claim, **columns: Any) -> None:
    Instance.objects.filter(pk=claim.instance.pk).update(**columns)
    for name, value in columns.items():
        setattr(claim.instance, name, value)


# --- what runs goes on -------------------------------------------------------------------


def _go_on(claim: Claim, pods: list[Pod], at: datetime) -> None:
    instance = claim.instance
    current = max(pods, key=lambda pod: (pod.runs, pod.attempt_no))
    attempt = Attempt.objects.get(instance=instance, no=current.attempt_no)
    _bury_others(instance, pods, at)
    attaching.detach_gone(at=at)
    if not attempt.attachments.exists():
        for refusal in attaching.refuse_busy([attempt.instance]).values():
            raise refusal
        attaching.attach([attempt], at=at)
    if instance.state == State.STOPPING:
        _move(claim, State.STOPPED, at)
    if instance.state in ENDED and instance.settled_launch_no >= instance.launch_no:
        launch_no = max(instance.launch_no + 1, attempt.launch_no)
        _wish(claim, launch_no=launch_no, launched_at=at)
        Attempt.objects.filter(pk=attempt.pk).update(launch_no=launch_no)
    _wish(claim, desired=Desired.RUNNING, generation=instance.generation + 1)
    _wish(claim, attempt_no=attempt.no, pool=attempt.pool)
    for state in _WAYS[State(instance.state)]:
        _move(claim, state, at)


def _move(claim: Claim, state: State, at: datetime) -> None:
    recording.record_move(claim, Move(to=state, reason=REASON), at=at)


def _bury_others(instance: Instance, pods: list[Pod], at: datetime) -> None:
    there = [pod.attempt_no for pod in pods]
    Attempt.objects.filter(instance=instance).exclude(no__in=there).exclude(
        state=AttemptState.GONE
    ).update(state=AttemptState.GONE, gone_at=at)


def _take_attempt(instance: Instance, pod: Pod, at: datetime) -> None:
    created_at = recalling.created_at(pod, at)
    _, is_new = Attempt.objects.get_or_create(
        instance=instance,
        no=pod.attempt_no,
        defaults={
            "launch_no": max(int(recalling.wish_of(pod).get("launch", 1)), instance.launch_no),
            "cluster": pod.cluster,
            "pool": recalling.pool_of(instance.instance_type, pod),
            "namespace": pod.seen.namespace,
            "pod_name": pod.seen.name,
            "spec_hash": pod.seen.spec_hash,
            "device_count": instance.device_count,
            "state": AttemptState.CREATED,
            "uid": pod.seen.uid,
            "intended_at": created_at,
            "created_at": created_at,
        },
    )
    if is_new:
        Instance.objects.filter(pk=instance.pk, attempt_no__lt=pod.attempt_no).update(
            attempt_no=pod.attempt_no
        )
        # Its seconds were nobody's; told again, they are the instance's.
        ObservedPod.objects.filter(cluster=pod.cluster, uid=pod.seen.uid).update(
            resource_version="", container_id="", witness_ref="", settlement=Settlement.OPEN
        )
