"""Maintenance: announced, kept clear of, carried out by the operator's choice, and over."""

from datetime import timedelta
from uuid import uuid4

import pytest

from provisioning import installation, inventory, maintaining, observing, podstatus
from provisioning.attempts import confirm_attempt, open_attempt
from provisioning.errors import IllegalSpec, IllegalTransition, NoCapacity
from provisioning.models import (
    Attempt,
    Cluster,
    Instance,
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
