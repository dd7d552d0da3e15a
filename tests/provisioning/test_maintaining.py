"""Maintenance: announced, kept clear of, carried out by the operator's choice, and over."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from provisioning import installation, inventory, maintaining, observing, podstatus, volumes
from provisioning.allotting import open_attempt
from provisioning.attempts import confirm_attempt
from provisioning.errors import IllegalSpec, IllegalTransition, NoCapacity
from provisioning.models import (
    Attempt,
    Cluster,
    Instance,
    InstanceVolume,
    MaintenancePolicy,
    MaintenanceWindow,
    Node,
    TenantNotice,
)
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON

OPENS = NOON + timedelta(hours=2)
CLOSES = NOON + timedelta(hours=4)


def runs(instance: Instance) -> Attempt:
    """Its pod runs on the one node."""
    attempt = open_attempt(instance=instance, marks=installation.current(), at=NOON)
    confirm_attempt(attempt=attempt, uid=uuid4(), at=NOON)
    Instance.objects.filter(pk=instance.pk).update(state="running", attempt_no=attempt.no)
    attempt.refresh_from_db()
    raw = factory.raw_pod(attempt, state=factory.running())
    observation = podstatus.read_pod(raw, marks=installation.current())
    observing.observe_pod(cluster=attempt.cluster, observation=observation, at=NOON)
    instance.refresh_from_db()
    return attempt


def plan(
    cluster: Cluster, policy: MaintenancePolicy = MaintenancePolicy.WAIT, **words: object
) -> MaintenanceWindow:
    given = {"starts_at": OPENS, "ends_at": CLOSES, "reason": "Firmware", "by": "erin", "at": NOON}
    return maintaining.plan_window(cluster=cluster, policy=policy, **{**given, **words})  # type: ignore[arg-type]


def told() -> list[str]:
    return list(TenantNotice.objects.values_list("kind", flat=True))


def place(instance: Instance) -> Attempt:
    return open_attempt(instance=instance, marks=installation.current(), at=NOON)


def test_who_runs_there_is_told_once(instance: Instance, cluster: Cluster) -> None:
    runs(instance)
    plan(cluster, nodes=list(Node.objects.all()))
    maintaining.keep_windows(at=NOON + timedelta(minutes=1))
    assert told() == ["maintenance_planned"]
    (warned,) = inventory.warnings_of(instance, at=NOON)
    assert (warned.code, warned.at, warned.until) == ("maintenance", OPENS, CLOSES)


def test_who_is_gone_by_then_is_not_told(cluster: Cluster) -> None:
    runs(factory.launch(ends_at=OPENS))
    plan(cluster)
    assert told() == []


@pytest.mark.parametrize(("minutes", "fits"), [(119, True), (121, False)])
def test_nothing_is_placed_that_would_run_into_a_window(
    cluster: Cluster, minutes: int, fits: bool
) -> None:
    plan(cluster)
    instance = factory.launch(ends_at=NOON + timedelta(minutes=minutes))
    if fits:
        assert place(instance)
    else:
        with pytest.raises(NoCapacity):
            place(instance)


def test_without_an_end_it_stays_clear_of_what_begins_within_a_day(cluster: Cluster) -> None:
    later = {"starts_at": NOON + timedelta(days=2), "ends_at": NOON + timedelta(days=3)}
    plan(cluster, MaintenancePolicy.WAIT, **later)
    assert place(factory.launch())
    plan(cluster)
    with pytest.raises(NoCapacity):
        place(factory.launch())


@pytest.mark.parametrize(
    ("policy", "wish", "leaves", "kind"),
    [
        (MaintenancePolicy.WAIT, "running", False, []),
        (MaintenancePolicy.STOP, "stopped", False, ["maintenance_stopped"]),
        (MaintenancePolicy.MOVE, "running", True, ["maintenance_moved"]),
    ],
)
def test_what_still_runs_then_meets_the_operators_choice(
    instance: Instance,
    cluster: Cluster,
    policy: MaintenancePolicy,
    wish: str,
    leaves: bool,
    kind: list[str],
) -> None:
    attempt = runs(instance)
    plan(cluster, policy, grace_minutes=10)
    maintaining.keep_windows(at=OPENS + timedelta(minutes=9))
    instance.refresh_from_db()
    assert instance.desired == "running"
    for _ in range(2):
        maintaining.keep_windows(at=OPENS + timedelta(minutes=10))
    instance.refresh_from_db()
    attempt.refresh_from_db()
    assert (instance.desired, attempt.leave_wished_at is not None) == (wish, leaves)
    assert told() == ["maintenance_planned", *kind]


def give_volume(instance: Instance, cluster: Cluster) -> None:
    volume = volumes.create_volume(
        tenant_id=instance.tenant_id,
        project_id=instance.project_id,
        account_id=instance.account_id,
        name="weights",
        size_gib=1,
        cluster=cluster,
        at=NOON,
    )
    InstanceVolume.objects.create(instance=instance, volume=volume, path="/data")


def test_what_has_its_volumes_here_stays_and_is_told(instance: Instance, cluster: Cluster) -> None:
    attempt = runs(instance)
    give_volume(instance, cluster)
    plan(cluster, MaintenancePolicy.MOVE)
    assert told() == ["maintenance_planned", "maintenance_stays"]
    for _ in range(2):
        maintaining.keep_windows(at=OPENS)
    instance.refresh_from_db()
    attempt.refresh_from_db()
    assert (instance.desired, attempt.leave_wished_at) == ("running", None)
    assert told() == ["maintenance_planned", "maintenance_stays"]


def test_volumes_let_it_go_to_another_node_of_their_cluster(cluster: Cluster) -> None:
    first = Node.objects.get()
    raw = [factory.raw_node(uid=first.uid), factory.raw_node(name="node-2")]
    nodes = factory.add_nodes(cluster, *raw)
    instance = factory.launch()
    attempt = runs(instance)
    give_volume(instance, cluster)
    plan(cluster, MaintenancePolicy.MOVE, nodes=[nodes["node-1"]])
    maintaining.keep_windows(at=OPENS)
    attempt.refresh_from_db()
    assert attempt.leave_wished_at == OPENS
    assert told() == ["maintenance_planned", "maintenance_moved"]


def test_a_sweep_in_a_window_wishes_and_tells_nothing_twice(
    instance: Instance, cluster: Cluster, django_assert_max_num_queries: Any
) -> None:
    runs(instance)
    plan(cluster, MaintenancePolicy.MOVE)
    maintaining.keep_windows(at=OPENS)
    wished = Instance.objects.values("generation", "next_reconcile_at").get()
    # Nothing is written, and what is asked does not grow with those who run there.
    with django_assert_max_num_queries(13) as asked:
        maintaining.keep_windows(at=OPENS + timedelta(seconds=10))
    assert Instance.objects.values("generation", "next_reconcile_at").get() == wished
    assert not [one for one in asked if not one["sql"].startswith("SELECT")]


def test_one_that_ends_by_itself_meanwhile_holds_nobody_up(
    instance: Instance, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, other = runs(instance), factory.launch()
    Attempt.objects.filter(pk=attempt.pk).update(state="created")
    runs(other)
    window = plan(cluster, MaintenancePolicy.STOP)
    found = maintaining.affected_by(cluster=cluster)
    assert len(found) == 2
    Instance.objects.filter(pk=found[0].instance.pk).update(desired="terminated")
    monkeypatch.setattr(maintaining, "affected_by", lambda **words: found)
    maintaining.keep_windows(at=OPENS)
    found[1].instance.refresh_from_db()
    assert found[1].instance.desired == "stopped"
    window.refresh_from_db()
    assert window.begun_at == OPENS


def test_when_it_is_over_the_nodes_are_sold_again(cluster: Cluster) -> None:
    window = plan(cluster)
    waiting = factory.launch()
    Instance.objects.filter(pk=waiting.pk).update(next_reconcile_at=None)
    maintaining.keep_windows(at=CLOSES)
    window.refresh_from_db()
    waiting.refresh_from_db()
    assert window.ended_at == CLOSES
    assert waiting.next_reconcile_at == CLOSES
    assert place(waiting)


def test_a_window_called_off_is_told_and_closes_nothing(
    instance: Instance, cluster: Cluster
) -> None:
    runs(instance)
    window = plan(cluster)
    maintaining.cancel_window(window=window, by="erin", at=NOON)
    assert told() == ["maintenance_planned", "maintenance_cancelled"]
    assert place(factory.launch())
    with pytest.raises(IllegalTransition):
        maintaining.cancel_window(window=window, by="erin", at=NOON)


def test_a_window_that_makes_no_sense_is_refused(cluster: Cluster) -> None:
    with pytest.raises(IllegalSpec):
        plan(cluster, ends_at=OPENS)
    with pytest.raises(IllegalSpec):
        plan(cluster, reason=" ")
    other = factory.add_nodes(factory.add_cluster(name="west"))["node-1"]
    with pytest.raises(IllegalSpec):
        plan(cluster, nodes=[other])
