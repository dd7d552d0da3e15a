"""Carry out the one thing a step asks for.

`carry_out` asks the cluster and returns an `Outcome`; what the outcome writes happens
afterwards, inside the transaction that records the pass.  So no transaction is open while
a cluster is asked, and a crash in between leaves only what the next pass looks up.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from provisioning import allotting, attempts, creating, namespacing, podstatus, registries, routing
from provisioning.cluster import asking
from provisioning.cluster.errors import AlreadyExists, NotFound, PreconditionFailed
from provisioning.errors import ProvisioningError
from provisioning.models import Attempt, Cluster
from provisioning.situations import Pass
from provisioning.states import State
from provisioning.steps import (
    AT_ONCE,
    AdoptPod,
    BuryAttempt,
    CreatePod,
    DeletePod,
    Effect,
    FindPod,
    Move,
    Place,
    PrepareNamespace,
    ReleasePod,
)

Changes = Mapping[str, Any]


class NameTaken(ProvisioningError):
    """Somebody else's pod has the name of ours."""

    code = "name_taken"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a step has led to: rows to write, columns of the instance, perhaps a move."""

    write: Callable[[], Changes] = dict
    move: Move | None = None
    again: timedelta | None = None
    frees_devices: bool = False


def cluster_of(effect: Effect, of: Pass) -> Cluster | None:
    """Return the cluster a step would ask; None when it asks none."""
    if isinstance(effect, Place | AdoptPod | BuryAttempt):
        return None
    if isinstance(effect, DeletePod | ReleasePod):
        return of.attempt_of(effect.uid).cluster
    return _attempt(of).cluster


def carry_out(effect: Effect, of: Pass) -> Outcome:
    """Do it; raises what the cluster refuses with."""
    return _HANDLERS[type(effect)](effect, of)


def _attempt(of: Pass) -> Attempt:
    if of.attempt is None:
        raise RuntimeError(f"{of.instance.pk} has no attempt to act on")
    return of.attempt


def _place(effect: Place, of: Pass) -> Outcome:
    def write() -> Changes:
        attempt = allotting.open_attempt(instance=of.instance, marks=of.marks, at=of.at)
        return {"attempt_no": attempt.no, "pool": attempt.pool}

    return Outcome(write=write, move=allotting.PLACED, again=AT_ONCE)


def _prepare_namespace(effect: PrepareNamespace, of: Pass) -> Outcome:
    cluster, tenant_id = _attempt(of).cluster, of.instance.tenant_id
    applied = namespacing.prepare(
        cluster=cluster,
        tenant_id=tenant_id,
        marks=of.marks,
        has_time=lambda: of.claim.has_time_for_a_call,
    )

    def write() -> Changes:
        namespacing.remember(
            cluster=cluster,
            tenant_id=tenant_id,
            marks=of.marks,
            applied_hash=applied,
            at=of.at,
        )
        return {}

    return Outcome(write=write)


def _create_pod(effect: CreatePod, of: Pass) -> Outcome:
    order = creating.order_for(of, login=registries.login_for(of.instance))
    if order is None:
        return _find_pod(FindPod(), of)
    try:
        uid = creating.post(order)
    except AlreadyExists:
        # Ours, if an earlier pass died or heard nothing after asking; never a stranger's to kill.
        return _find_pod(FindPod(), of)
    return replace(_confirmed(of, uid, creating.CREATED), again=creating.UNTIL_SEEN)


def _find_pod(effect: FindPod, of: Pass) -> Outcome:
    attempt = _attempt(of)
    try:
        raw = asking.get_pod(attempt.cluster, namespace=attempt.namespace, name=attempt.pod_name)
    except NotFound:
        return _buried(of, attempt)
    pod = podstatus.read_pod(raw, marks=of.marks)
    is_awaited = of.situation.state is State.PROVISIONING
    if pod.instance_id != of.instance.pk or pod.spec_hash != attempt.spec_hash:
        if is_awaited:
            raise NameTaken(attempt.pod_name)
        return _buried(of, attempt)
    move = Move(to=State.SCHEDULING, reason="pod_adopted") if is_awaited else None
    return _confirmed(of, pod.uid, move)


def _adopt_pod(effect: AdoptPod, of: Pass) -> Outcome:
    return _confirmed(of, effect.uid, Move(to=State.SCHEDULING, reason="pod_adopted"))


def _delete_pod(effect: DeletePod, of: Pass) -> Outcome:
    attempt = of.attempt_of(effect.uid)
    if of.attempt is not None and of.attempt.no == attempt.no:
        routing.withdraw(instance_id=of.instance.pk, cluster=attempt.cluster)
    try:
        asking.delete_pod(
            attempt.cluster,
            namespace=attempt.namespace,
            name=attempt.pod_name,
            uid=str(effect.uid),
        )
    except (NotFound, PreconditionFailed):
        # One that was seen is the watcher's to miss: it knows what the pod's seconds were.
        return Outcome() if of.pod(effect.uid) else _buried(of, attempt)
    return Outcome()


def _release_pod(effect: ReleasePod, of: Pass) -> Outcome:
    attempt = of.attempt_of(effect.uid)
    # Gone in the meantime is as good; the watcher will tell.
    with suppress(NotFound, PreconditionFailed):
        asking.remove_finalizer(
            attempt.cluster,
            namespace=attempt.namespace,
            name=attempt.pod_name,
            uid=str(effect.uid),
            finalizer=of.marks.finalizer,
        )
    return Outcome()


def _bury_attempt(effect: BuryAttempt, of: Pass) -> Outcome:
    return _buried(of, next(a for a in of.attempts if a.no == effect.no))


def _confirmed(of: Pass, uid: UUID, move: Move | None) -> Outcome:
    def write() -> Changes:
        attempts.confirm_attempt(attempt=_attempt(of), uid=uid, at=of.at)
        return {}

    return Outcome(write=write, move=move, again=AT_ONCE if move else None)


def _buried(of: Pass, attempt: Attempt) -> Outcome:
    def write() -> Changes:
        attempts.bury_attempt(attempt=attempt, at=of.at)
        return {}

    return Outcome(write=write, again=AT_ONCE, frees_devices=True)


Handler = Callable[[Any, Pass], Outcome]
_HANDLERS: Final[dict[type, Handler]] = {
    Place: _place,
    PrepareNamespace: _prepare_namespace,
    CreatePod: _create_pod,
    FindPod: _find_pod,
    AdoptPod: _adopt_pod,
    DeletePod: _delete_pod,
    ReleasePod: _release_pod,
    BuryAttempt: _bury_attempt,
}
