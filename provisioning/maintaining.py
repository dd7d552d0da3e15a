"""Plan times in which nodes or a cluster belong to those who mend them, and keep them.

A window is announced when it is planned, to whoever runs there.  Placing stays away from
it from then on (`selling`).  When it opens, and the grace it gives is over, what still
runs there waits, moves or stops, as the operator has chosen; what has its volumes there and
nowhere else to go is not moved, and its tenant is told.  When it ends the nodes are
sold again.  `sweeping` keeps the time.
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from provisioning import events, moving, selling, stock, stopping
from provisioning.errors import IllegalSpec, IllegalTransition
from provisioning.models import (
    Attempt,
    Cluster,
    Instance,
    InstanceVolume,
    MaintenancePolicy,
    MaintenanceWindow,
    Node,
    NodeCapacity,
    ObservedPod,
)
from provisioning.states import AttemptState, Desired


@dataclass(frozen=True, kw_only=True)
class Affected:
    """One instance in the way of a window, and whether its lease ends before it opens.

    A bound one has volumes on the cluster and would find no other node beside them.
    """

    instance: Instance
    node_name: str
    is_gone_by_then: bool
    is_leaving: bool
    is_bound: bool


@transaction.atomic
def plan_window(
    *,
    cluster: Cluster,
    nodes: Collection[Node] = (),
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    policy: MaintenancePolicy = MaintenancePolicy.WAIT,
    grace_minutes: int = 0,
    by: str,
    at: datetime,
) -> MaintenanceWindow:
    """Write a window down and tell those who run there."""
    if ends_at <= starts_at or ends_at <= at:
        raise IllegalSpec("A window ends after it starts, and in the future.")
    if not reason.strip():
        raise IllegalSpec("Say what the window is for.")
    if any(node.cluster_id != cluster.pk for node in nodes):
        raise IllegalSpec("These nodes are of another cluster.")
    window = MaintenanceWindow.objects.create(
        cluster=cluster,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=reason.strip(),
        policy=policy,
        grace_minutes=grace_minutes,
        planned_at=at,
        planned_by=by,
    )
    window.nodes.set(nodes)
    announce(window=window, at=at)
    return window


@transaction.atomic
def cancel_window(*, window: MaintenanceWindow, by: str, at: datetime) -> None:
    """Give a window up; who was told of it is told of that."""
    is_mine = MaintenanceWindow.objects.filter(
        pk=window.pk, cancelled_at=None, ended_at=None
    ).update(cancelled_at=at, cancelled_by=by)
    if not is_mine:
        raise IllegalTransition("The window is over, or has been given up.")
    for found in affected_by(cluster=window.cluster, nodes=list(window.nodes.all())):
        _tell("maintenance_cancelled", window, found, at)
    _sell_again(window, at)


def announce(*, window: MaintenanceWindow, at: datetime) -> None:
    """Tell those who run there now; whoever was told already is not told again."""
    nodes = list(window.nodes.all())
    found = affected_by(cluster=window.cluster, nodes=nodes, starts_at=window.starts_at)
    staying = [one for one in found if not one.is_gone_by_then]
    _tell_all("maintenance_planned", window, staying, at)
    if window.policy == MaintenancePolicy.MOVE:
        _tell_all("maintenance_stays", window, [one for one in staying if one.is_bound], at)


def affected_by(
    *, cluster: Cluster, nodes: Collection[Node] = (), starts_at: datetime | None = None
) -> list[Affected]:
    """Return the instances on these nodes, or on the whole cluster, by when they leave."""
    live = Attempt.objects.filter(cluster=cluster).exclude(state=AttemptState.GONE)
    pods = ObservedPod.objects.filter(cluster=cluster, uid__in=live.values("uid"))
    where: dict[UUID | None, str] = dict(pods.values_list("uid", "node_name"))
    names = {node.name for node in nodes}
    met = [
        attempt
        for attempt in live.select_related("instance__instance_type").order_by("instance__ends_at")
        if not names or where.get(attempt.uid, "") in names
    ]
    bound = _bound(cluster, nodes, [attempt.instance for attempt in met])
    found = [
        Affected(
            instance=attempt.instance,
            node_name=where.get(attempt.uid, ""),
            is_gone_by_then=_leaves_before(attempt.instance, starts_at),
            is_leaving=attempt.leave_wished_at is not None,
            is_bound=attempt.instance.pk in bound,
        )
        for attempt in met
    ]
    return sorted(found, key=lambda one: (one.node_name, one.instance.name))


def windows_touching(instance: Instance, *, at: datetime) -> list[MaintenanceWindow]:
    """Return the windows that are open, or will be, where an instance runs."""
    attempt = _live_attempt(instance)
    if attempt is None or attempt.uid is None:
        return []
    pod = ObservedPod.objects.filter(cluster=attempt.cluster_id, uid=attempt.uid).first()
    rows = selling.coming_windows(at=at).filter(cluster=attempt.cluster_id)
    if instance.ends_at is not None:
        rows = rows.filter(starts_at__lt=instance.ends_at)
    return [
        window
        for window in rows.prefetch_related("nodes")
        if not (names := {node.name for node in window.nodes.all()})
        or (pod is not None and pod.node_name in names)
    ]


def windows_for_launch(
    *, family_slug: str, ends_at: datetime | None, at: datetime
) -> QuerySet[MaintenanceWindow]:
    """Return the windows a new instance of the family would meet, were it placed there."""
    until = ends_at or at + selling.WITHOUT_END
    rows = selling.windows_before(until, at=at).filter(cluster__pools__family__slug=family_slug)
    return rows.distinct().select_related("cluster")


def keep_windows(*, at: datetime) -> None:
    """Announce, open and end what is due."""
    for window in selling.coming_windows(at=at).select_related("cluster"):
        announce(window=window, at=at)
    for window in _due(at):
        _open(window, at)
    for window in MaintenanceWindow.objects.filter(
        ends_at__lte=at, ended_at=None, cancelled_at=None
    ):
        _end(window, at)


def _due(at: datetime) -> list[MaintenanceWindow]:
    opened = MaintenanceWindow.objects.filter(
        starts_at__lte=at, ends_at__gt=at, ended_at=None, cancelled_at=None
    )
    return [w for w in opened if w.starts_at + timedelta(minutes=w.grace_minutes) <= at]


def _open(window: MaintenanceWindow, at: datetime) -> None:
    """Carry the policy out.  Again with every sweep: what was on its way may arrive late."""
    if window.policy != MaintenancePolicy.WAIT:
        nodes = list(window.nodes.all())
        for found in affected_by(cluster=window.cluster, nodes=nodes):
            if found.instance.desired == Desired.RUNNING and not found.is_leaving:
                # Ended or lost its pod since it was read: then it is out of the way.
                with suppress(IllegalTransition):
                    _clear(window, found, at)
    if window.begun_at is None:
        MaintenanceWindow.objects.filter(pk=window.pk, begun_at=None).update(begun_at=at)


@transaction.atomic
def _clear(window: MaintenanceWindow, found: Affected, at: datetime) -> None:
    if window.policy == MaintenancePolicy.MOVE:
        # Without its volumes it can run nowhere, so it would only be stopped.
        if found.is_bound or not moving.can_move(found.instance):
            return
        moving.move_instance(instance=found.instance, at=at)
        _tell("maintenance_moved", window, found, at)
    else:
        stopping.stop_instance(instance=found.instance, at=at)
        _tell("maintenance_stopped", window, found, at)


@transaction.atomic
def _end(window: MaintenanceWindow, at: datetime) -> None:
    if MaintenanceWindow.objects.filter(pk=window.pk, ended_at=None).update(ended_at=at):
        _sell_again(window, at)


def _sell_again(window: MaintenanceWindow, at: datetime) -> None:
    nodes = Node.objects.filter(selling.covered_by(window), gone_at__isnull=True)
    rows = NodeCapacity.objects.filter(node__in=nodes)
    selling.wake(rows.values_list("pool__family", flat=True), at=at)


def _bound(cluster: Cluster, nodes: Collection[Node], instances: Collection[Instance]) -> set[UUID]:
    mounts = InstanceVolume.objects.filter(instance__in=instances, volume__cluster=cluster)
    with_volumes = set(mounts.values_list("instance", flat=True))
    if not with_volumes:
        return set()
    others = stock.present_capacity().filter(pool__cluster=cluster).exclude(node__in=nodes)
    # Without nodes of its own the window is all of the cluster's.
    elsewhere = set(others.values_list("pool__family", flat=True)) if nodes else set()
    return {
        instance.pk
        for instance in instances
        if instance.pk in with_volumes and instance.instance_type.family_id not in elsewhere
    }


def _leaves_before(instance: Instance, starts_at: datetime | None) -> bool:
    return starts_at is not None and instance.ends_at is not None and instance.ends_at <= starts_at


def _live_attempt(instance: Instance) -> Attempt | None:
    live = instance.attempts.filter(no=instance.attempt_no).exclude(state=AttemptState.GONE)
    return live.first()


def _tell_all(
    kind: str, window: MaintenanceWindow, found: Collection[Affected], at: datetime
) -> None:
    ids = [one.instance.pk for one in found]
    told = events.told_already(kind=kind, once=_once(window), instance_ids=ids)
    for one in found:
        if one.instance.pk not in told:
            _tell(kind, window, one, at)


def _once(window: MaintenanceWindow) -> str:
    return f"window {window.pk}"


def _tell(kind: str, window: MaintenanceWindow, found: Affected, at: datetime) -> None:
    events.tell_tenant(
        kind=kind,
        tenant_id=found.instance.tenant_id,
        instance_id=found.instance.pk,
        at=at,
        once=_once(window),
        instance=found.instance.name,
        node=found.node_name,
        cluster=window.cluster.name,
        starts_at=window.starts_at.isoformat(),
        ends_at=window.ends_at.isoformat(),
        reason=window.reason,
        policy=window.policy,
    )
