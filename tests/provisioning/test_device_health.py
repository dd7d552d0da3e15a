"""A device falls ill under somebody: out of sale, time not owed, the tenant told; and back."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from billing import unusable
from billing.models import UnusableTime, UsageInterval
from provisioning import (
    installation,
    inventory,
    inventorying,
    observing,
    offers,
    podstatus,
    queries,
    selling,
)
from provisioning.allotting import open_attempt
from provisioning.attempts import confirm_attempt
from provisioning.errors import IllegalSpec, NoCapacity
from provisioning.models import (
    Attempt,
    Cluster,
    Device,
    Instance,
    Node,
    Outage,
    Pool,
    TenantNotice,
)
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON

ILL = NOON + timedelta(seconds=30)
WELL = NOON + timedelta(seconds=90)
SEEN = NOON + timedelta(minutes=5)


@pytest.fixture
def attempt(instance: Instance) -> Attempt:
    """Its pod has been created."""
    attempt = open_attempt(instance=instance, marks=installation.current(), at=NOON)
    confirm_attempt(attempt=attempt, uid=uuid4(), at=NOON)
    return Attempt.objects.select_related("instance", "cluster", "pool__family__vendor").get(
        pk=attempt.pk
    )


def hear(
    attempt: Attempt,
    *,
    ill: Iterable[str] = (),
    devices: Iterable[str] = ("npu3",),
    told_at: datetime | None = NOON,
    at: datetime = SEEN,
    **words: Any,
) -> None:
    """The pod says how its devices are."""
    raw = factory.raw_pod(attempt, devices=devices, **{"state": factory.running(), **words})
    (container,) = raw["status"]["containerStatuses"]
    for device in container["allocatedResourcesStatus"][0]["resources"]:
        if device["resourceID"] in ill:
            device["health"] = "Unhealthy"
    if told_at:
        raw["metadata"]["managedFields"] = [
            {"manager": "kubelet", "subresource": "status", "time": factory.instant(told_at)},
            {"manager": "npu-farm", "time": factory.instant(SEEN)},
        ]
    observation = podstatus.read_pod(raw, marks=installation.current())
    observing.observe_pod(cluster=attempt.cluster, observation=observation, at=at)


def node_counts(
    cluster: Cluster,
    *,
    healthy: int,
    at: datetime = SEEN,
    ready: bool = True,
    lease: datetime = NOON,
    changed: datetime | None = None,
) -> Node:
    """The node says how many are well, and how it is itself."""
    node = Node.objects.filter(cluster=cluster, gone_at=None).get()
    raw = factory.raw_node(uid=node.uid, healthy=healthy, ready=ready)
    if changed:
        raw["status"]["conditions"][0]["lastTransitionTime"] = factory.instant(changed)
    found = inventorying.read_nodes([raw], [factory.raw_lease(renewed_at=lease)])
    return inventorying.record_nodes(cluster=cluster, found=found, at=at)["node-1"]


def free_on(cluster: Cluster) -> int:
    return offers.of_pools(list(Pool.objects.filter(cluster=cluster)))[0].free


def spells() -> list[tuple[datetime, datetime | None, str]]:
    return list(UnusableTime.objects.values_list("started_at", "ended_at", "cause"))


def told() -> list[str]:
    return list(TenantNotice.objects.values_list("kind", flat=True))


def test_a_device_is_known_from_the_first_pod_that_holds_it(attempt: Attempt) -> None:
    hear(attempt)
    device = Device.objects.get()
    assert (device.device_id, device.health, device.pool) == ("npu3", "healthy", attempt.pool)
    assert not Outage.objects.exists()
    assert not spells()


def test_an_ill_device_makes_time_unusable_from_when_the_cluster_said_so(attempt: Attempt) -> None:
    hear(attempt)
    hear(attempt, ill=["npu3"], told_at=ILL)
    assert spells() == [(ILL, None, "device_unhealthy")]
    assert told() == ["device_unhealthy"]
    outage = Outage.objects.get()
    assert (outage.started_at, outage.noticed_at) == (ILL, SEEN)


def test_a_device_that_recovers_ends_the_spell_by_the_same_clock(attempt: Attempt) -> None:
    hear(attempt, ill=["npu3"], told_at=ILL)
    hear(attempt, told_at=WELL)
    assert spells() == [(ILL, WELL, "device_unhealthy")]
    assert told() == ["device_unhealthy", "device_recovered"]
    interval = UsageInterval.objects.get()
    (span,) = unusable.unusable_spans(interval=interval, until=SEEN)
    assert span.seconds == 60


def test_told_again_it_is_the_same_spell_and_the_same_notice(attempt: Attempt) -> None:
    for no in range(3):
        told_at = ILL + timedelta(seconds=no)
        hear(attempt, ill=["npu3"], told_at=told_at, at=SEEN + timedelta(seconds=no))
    assert spells() == [(ILL, None, "device_unhealthy")]
    assert told() == ["device_unhealthy"]


def test_two_ill_devices_of_one_run_make_one_time_unusable(instance: Instance) -> None:
    pair = factory.launch(instance_type="rngd-2")
    opened = open_attempt(instance=pair, marks=installation.current(), at=NOON)
    confirm_attempt(attempt=opened, uid=uuid4(), at=NOON)
    opened.refresh_from_db()
    both = ("npu1", "npu2")
    hear(opened, devices=both, ill=["npu1"], told_at=ILL)
    hear(opened, devices=both, ill=both, told_at=WELL)
    hear(opened, devices=both, ill=["npu2"], told_at=WELL + timedelta(seconds=5))
    hear(opened, devices=both, told_at=WELL + timedelta(seconds=10))
    seconds = sum((until - since).total_seconds() for since, until, _ in spells() if until)
    assert seconds == 70
    assert all(until is not None for _, until, _ in spells())


def test_a_run_that_ends_ends_its_unusable_time(attempt: Attempt) -> None:
    hear(attempt, ill=["npu3"], told_at=ILL)
    ended = factory.terminated(NOON, WELL, code=137, reason="Error")
    hear(attempt, ill=["npu3"], told_at=WELL, phase="Failed", state=ended)
    assert spells() == [(ILL, WELL, "device_unhealthy")]


def test_an_instant_the_cluster_did_not_tell_is_ours_and_says_so(attempt: Attempt) -> None:
    hear(attempt, ill=["npu3"], told_at=None)
    assert spells() == [(SEEN, None, "device_unhealthy")]
    assert Outage.objects.get().evidence["start"] == "observed"


def test_unknown_health_counts_nobodys_time(attempt: Attempt) -> None:
    raw = factory.raw_pod(attempt, devices=["npu3"], state=factory.running())
    (container,) = raw["status"]["containerStatuses"]
    container["allocatedResourcesStatus"][0]["resources"][0]["health"] = "Unknown"
    observation = podstatus.read_pod(raw, marks=installation.current())
    observing.observe_pod(cluster=attempt.cluster, observation=observation, at=SEEN)
    assert Device.objects.get().health == "unknown"
    assert not spells()


@pytest.mark.parametrize("healthy", [7, 8])
def test_an_ill_device_that_is_held_is_counted_out_once(attempt: Attempt, healthy: int) -> None:
    # The node's count follows the pod's word, or comes before it.
    assert free_on(attempt.cluster) == 7
    hear(attempt, ill=["npu3"], told_at=ILL)
    node_counts(attempt.cluster, healthy=healthy)
    assert free_on(attempt.cluster) == 7
    (capacity,) = queries.capacity(at=SEEN)
    assert (capacity.total, capacity.healthy, capacity.free) == (8, 7, 7)


def test_an_ill_device_nobody_holds_is_out_of_sale(cluster: Cluster) -> None:
    node_counts(cluster, healthy=6)
    assert free_on(cluster) == 6


def test_a_device_stopped_by_hand_is_not_free(attempt: Attempt) -> None:
    hear(attempt)
    other = Device.objects.create(
        node=Node.objects.get(), pool=attempt.pool, device_id="npu0", first_seen_at=NOON,
        seen_at=NOON,
    )  # fmt: skip
    selling.stop_device(device=other, reason="Flaky", by="erin", at=SEEN)
    assert free_on(attempt.cluster) == 6
    # Held and stopped: it is not free anyway.
    selling.stop_device(device=Device.objects.get(device_id="npu3"), reason="x", by="erin", at=SEEN)
    assert free_on(attempt.cluster) == 6
    selling.resume_device(device=other, at=SEEN)
    assert free_on(attempt.cluster) == 7


def test_sale_is_stopped_with_a_reason_only(cluster: Cluster) -> None:
    with pytest.raises(IllegalSpec):
        selling.stop_node(node=Node.objects.get(), reason=" ", by="erin", at=SEEN)
    assert free_on(cluster) == 8


def test_a_node_out_of_sale_takes_nothing_new(instance: Instance) -> None:
    node = Node.objects.get()
    selling.stop_node(node=node, reason="Fan", by="erin", at=NOON)
    with pytest.raises(NoCapacity):
        open_attempt(instance=instance, marks=installation.current(), at=NOON)
    selling.resume_node(node=node, at=NOON)
    assert open_attempt(instance=instance, marks=installation.current(), at=NOON)


def test_a_stop_while_the_nodes_are_being_listed_is_kept(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Node.save

    def stopped_meanwhile(node: Node, **words: Any) -> None:
        selling.stop_node(node=Node.objects.get(), reason="Fan", by="erin", at=NOON)
        write(node, **words)

    monkeypatch.setattr(Node, "save", stopped_meanwhile)
    factory.add_nodes(cluster, factory.raw_node(uid=Node.objects.get().uid))
    assert Node.objects.get().stop_reason == "Fan"


def test_pods_are_kept_off_a_node_out_of_sale_by_name(instance: Instance) -> None:
    # The scheduler knows nothing of our sale, so the pod itself stays away.
    cluster = Cluster.objects.get()
    both = [factory.raw_node(uid=Node.objects.get().uid), factory.raw_node(name="node-2")]
    nodes = factory.add_nodes(cluster, *both)
    selling.stop_node(node=nodes["node-2"], reason="Fan", by="erin", at=NOON)
    attempt = open_attempt(instance=instance, marks=installation.current(), at=NOON)
    assert attempt.avoided_nodes == ["node-2"]


def test_a_silent_node_counts_no_time_from_its_last_lease(attempt: Attempt) -> None:
    hear(attempt)
    node_counts(attempt.cluster, healthy=8, ready=False, lease=ILL)
    assert spells() == [(ILL, None, "node_unreachable")]
    assert told() == ["node_unreachable"]
    back = node_counts(attempt.cluster, healthy=8, lease=SEEN, changed=WELL)
    assert back.is_ready
    assert spells() == [(ILL, WELL, "node_unreachable")]
    assert told() == ["node_unreachable", "node_returned"]


def test_who_holds_what_since_when(attempt: Attempt) -> None:
    hear(attempt, ill=["npu3"], told_at=ILL)
    (view,) = inventory.looked_at([Node.objects.get()], at=SEEN)
    (held,) = view.devices
    assert (held.holder, held.since, held.is_ill) == (attempt.instance, NOON, True)
    assert (view.pools[0].held, view.pools[0].unnamed) == (1, 7)
    (warned,) = inventory.warnings_of(attempt.instance, at=SEEN)
    assert (warned.code, warned.device_id, warned.at) == ("device_unhealthy", "npu3", ILL)


def test_what_was_ill_is_well_once_the_node_counts_all_of_them(attempt: Attempt) -> None:
    hear(attempt, ill=["npu3"], told_at=ILL)
    ended = factory.terminated(NOON, WELL, code=0)
    hear(attempt, ill=["npu3"], told_at=WELL, phase="Succeeded", state=ended)
    node_counts(attempt.cluster, healthy=8, at=SEEN + timedelta(minutes=2))
    assert Device.objects.get().health == "healthy"
    assert not Outage.objects.filter(ended_at=None).exists()


def test_what_was_ill_on_a_node_that_went_is_over_and_nobody_hears_it_came_back(
    attempt: Attempt, cluster: Cluster
) -> None:
    hear(attempt, ill=["npu3"], told_at=ILL)
    node_counts(cluster, healthy=8, ready=False, changed=ILL)
    before = told()
    assert Outage.objects.filter(ended_at=None).count() == 2
    inventorying.record_nodes(cluster=cluster, found=[], at=SEEN)
    assert not Outage.objects.filter(ended_at=None).exists()
    assert told() == before
