"""Give a cluster up that will not answer any more, by a person's word.

What was there has ended: runs as last proved, attempts and volumes as lost.  An instance that
is to run is placed anew by `reconciling`, or fails where a volume of its own is gone.  Should
the cluster come back, its pods are nobody's: `orphaned` shows them, and the ledger takes
nothing more of runs that were written off.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from provisioning import (
    attempts,
    events,
    inventorying,
    spans,
    unusable,
    usage,
    waking,
    witnessed,
)
from provisioning.cluster import reviewing
from provisioning.cluster.errors import ServerTrouble, TooManyRequests
from provisioning.errors import (
    ClusterAnswers,
    ClusterInUse,
    ClusterUnreachable,
    IllegalClusterState,
    NotConfirmed,
    ProvisioningError,
)
from provisioning.models import (
    Attempt,
    Cluster,
    ClusterLoss,
    ClusterState,
    Instance,
    ObservedPod,
    Pool,
    Volume,
)
from provisioning.states import AttemptState, Desired, Identity, Settlement, State, VolumeState

# As long as a node is waited for.
SILENT_FOR: Final = timedelta(minutes=10)
REASON: Final = "cluster_lost"
WITH_CLUSTER: Final = "lost_with_cluster"
OVER: Final = (ClusterState.LOST, ClusterState.REMOVED)


def may_be_lost(cluster: Cluster, *, at: datetime) -> bool:
    """Say whether a cluster has been silent for so long that it may be given up."""
    heard = cluster.last_event_at or cluster.added_at
    return cluster.state not in OVER and at - heard >= SILENT_FOR


def declare_lost(
    *, cluster: Cluster, confirmation: str, reason: str, by: str, at: datetime
) -> ClusterLoss:
    """End what was on the cluster; `confirmation` is its name, written by whoever says so.

    Asks the cluster once more, so not inside a transaction.  Raises `NotConfirmed`,
    `ClusterAnswers`, `IllegalClusterState`.
    """
    if confirmation.strip() != cluster.name or not reason.strip():
        raise NotConfirmed
    _refuse_unless_silent(cluster, at)
    _refuse_if_it_answers(cluster)
    with transaction.atomic():
        # Whoever adds a row that names the cluster need not wait, nor we for them.
        fresh = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
        _refuse_unless_silent(fresh, at)
        fresh.state = cluster.state = ClusterState.LOST
        fresh.save(update_fields=["state"])
        # Whoever places at this moment has the pools locked; what they opened is ended, too.
        pools = Pool.objects.select_for_update(no_key=True).filter(cluster=fresh)
        list(pools.order_by("pk"))
        instances, runs, volumes = _end_everything(fresh, at)
        return ClusterLoss.objects.create(
            cluster=fresh,
            declared_at=at,
            declared_by=by,
            reason=reason.strip(),
            heard_at=fresh.last_event_at,
            instance_count=instances,
            run_count=runs,
            volume_count=volumes,
        )


def follow_lost(*, at: datetime) -> None:
    """End what was begun on a lost cluster by somebody who did not know it yet."""
    for cluster in Cluster.objects.filter(state=ClusterState.LOST):
        with transaction.atomic():
            _end_attempts(cluster, _open_attempts(cluster), at)
            _lose_volumes(cluster, at)


def refuse_unless_back(cluster: Cluster) -> None:
    """Refuse to use a lost cluster that has not shown yet, by a list, that it is empty."""
    loss = cluster.losses.first()
    listed = cluster.last_list_at
    if loss is None or listed is None or listed <= loss.declared_at:
        raise IllegalClusterState("It has not been heard from since it was declared lost.")
    if ObservedPod.objects.filter(cluster=cluster, gone_at=None).exists():
        raise ClusterInUse("Pods that came back with it have to be cleared away first.")


def _refuse_unless_silent(cluster: Cluster, at: datetime) -> None:
    if cluster.state in OVER:
        raise IllegalClusterState("It is given up already.")
    if not may_be_lost(cluster, at=at):
        minutes = int(SILENT_FOR.total_seconds() // 60)
        raise ClusterAnswers(f"It was heard from within the last {minutes} minutes.")


def _refuse_if_it_answers(cluster: Cluster) -> None:
    try:
        reviewing.uid_of(cluster, Identity.WATCHER)
    except (TooManyRequests, ServerTrouble) as error:
        raise ClusterAnswers(f"It is there, and in trouble: {error.message}") from error
    except ClusterUnreachable:
        return
    except ProvisioningError as error:
        raise ClusterAnswers(f"It refuses us: {error.message}") from error
    raise ClusterAnswers("It does so at this moment.")


def _end_everything(cluster: Cluster, at: datetime) -> tuple[int, int, int]:
    present = list(ObservedPod.objects.select_for_update().filter(cluster=cluster, gone_at=None))
    uids = [pod.uid for pod in present]
    ended = _open_attempts(cluster) | Q(cluster=cluster, uid__in=uids)
    runs = sum(_write_off(pod, at) for pod in present)
    volumes = _lose_volumes(cluster, at)
    instances = _end_attempts(cluster, ended, at)
    inventorying.forget_nodes(cluster=cluster, at=at)
    return instances, runs, volumes


# --- runs -----------------------------------------------------------------------------------


def _write_off(pod: ObservedPod, at: datetime) -> bool:
    """End a pod's run no later than it was proved; says whether it was open."""
    was_open = pod.settlement == Settlement.OPEN
    if was_open:
        usage.close_vanished(pod=pod, reason=REASON, at=at)
    if pod.settlement != Settlement.NEVER_RAN:
        # Nothing more is taken of a run that ended before, either.
        witnessed.add_evidence(pod=pod, kind=witnessed.DECLARED_LOST, at=at)
        pod.settlement = Settlement.LOST
    pod.gone_at = at
    pod.save(update_fields=["settlement", "gone_at"])
    unusable.refresh_pod(pod=pod, at=at)
    return was_open


# --- attempts and their instances -----------------------------------------------------------


def _open_attempts(cluster: Cluster) -> Q:
    return Q(cluster=cluster) & ~Q(state=AttemptState.GONE)


def _end_attempts(cluster: Cluster, which: Q, at: datetime) -> int:
    """Bury attempts as lost, and have their instances looked at; says how many these are."""
    ended = list(Attempt.objects.filter(which, lost_at=None).select_related("instance"))
    Attempt.objects.filter(pk__in=[attempt.pk for attempt in ended]).update(lost_at=at)
    # One that runs elsewhere by now has lost nothing but an old pod.
    touched = {
        attempt.instance
        for attempt in ended
        if attempt.state != AttemptState.GONE and attempt.no == attempt.instance.attempt_no
    }
    for attempt in ended:
        attempts.bury_attempt(attempt=attempt, at=at)
    waking.wake(Instance.objects.filter(pk__in=[one.pk for one in touched]), at=at)
    for instance in touched:
        _tell(instance, cluster, at)
    return len(touched)


def _tell(instance: Instance, cluster: Cluster, at: datetime) -> None:
    # Whoever cannot go elsewhere hears that it has failed, and of its volumes.
    is_bound = instance.volumes.filter(volume__cluster=cluster).exists()
    if instance.desired == Desired.RUNNING and instance.state != State.FAILED and not is_bound:
        events.tell_tenant(
            kind=REASON,
            tenant_id=instance.tenant_id,
            instance_id=instance.pk,
            at=at,
            instance=instance.name,
            cluster=cluster.name,
        )


# --- volumes --------------------------------------------------------------------------------


def _lose_volumes(cluster: Cluster, at: datetime) -> int:
    """Write that the cluster's volumes are lost, and have whoever waits for one looked at."""
    kept = Volume.objects.select_for_update().filter(cluster=cluster)
    volumes = list(kept.exclude(state__in=(VolumeState.DELETED, VolumeState.LOST)).order_by("pk"))
    for volume in volumes:
        _lose_volume(volume, cluster, at)
    waking.wake(Instance.objects.filter(volumes__volume__in=volumes, state=State.QUEUED), at=at)
    return len(volumes)


def _lose_volume(volume: Volume, cluster: Cluster, at: datetime) -> None:
    spans.end_span(volume=volume, reason=WITH_CLUSTER, at=volume.seen_at or at)
    # Without its lease: a pass that is under way records nothing any more.
    volume.lease_token, volume.lease_until, volume.next_reconcile_at = None, None, None
    volume.state, volume.reason, volume.message = VolumeState.LOST, WITH_CLUSTER, ""
    volume.state_since = at
    if not volume.is_wanted:
        volume.state, volume.deleted_at = VolumeState.DELETED, at
    volume.save()
    if volume.is_wanted:
        events.tell_tenant(
            kind="volume_lost",
            tenant_id=volume.tenant_id,
            at=at,
            once=str(volume.pk),
            volume=volume.name,
            cluster=cluster.name,
        )
