"""What a list vouches for, and what a watch tells, of pods that really run."""

from django.utils import timezone

from billing.models import UsageInterval
from provisioning import installation, relisting, stopping, watching
from provisioning.cluster import watching as following
from provisioning.models import Instance, ObservedPod
from provisioning.states import State
from tests.provisioning.farms import Farm, second, wait_until


def test_what_runs_is_vouched_for_by_its_node(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    second()
    relisting.bear_witness(farm.cluster, clock=timezone.now)
    interval = UsageInterval.objects.with_watermark().get()
    assert interval.ended_at is None
    node = ObservedPod.objects.get().node_name
    lease = farm.cluster.nodes.get(name=node).lease_renewed_at
    assert lease is not None
    assert interval.watermark == max(interval.started_at, lease.replace(microsecond=0))
    wait_until(
        lambda: UsageInterval.objects.with_watermark().get().watermark > interval.watermark,
        lambda: relisting.bear_witness(farm.cluster, clock=timezone.now),
    )
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_a_light_list_vouches_for_nothing_it_has_not_recognised(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    relisting.bear_witness(farm.cluster, clock=timezone.now)
    before = UsageInterval.objects.with_watermark().get().watermark
    # A version the watch has not told of: who knows what it says.
    ObservedPod.objects.update(resource_version="1")
    second()
    relisting.bear_witness(farm.cluster, clock=timezone.now)
    assert UsageInterval.objects.with_watermark().get().watermark == before
    wait_until(lambda: UsageInterval.objects.with_watermark().get().watermark > before, farm.watch)
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_a_relist_writes_only_what_is_different(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    farm.watch()
    pod = ObservedPod.objects.get()
    seq = Instance.objects.get().observation_seq
    farm.watch()
    assert ObservedPod.objects.get().seen_at == pod.seen_at
    assert Instance.objects.get().observation_seq == seq
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_a_watch_tells_what_a_list_would(farm: Farm) -> None:
    marks = installation.current()
    version = relisting.relist(farm.cluster, clock=timezone.now)
    instance = farm.launch()
    farm.work()
    changes = following.watch_pods(
        farm.cluster, selector=marks.selector, resource_version=version, seconds=20
    )
    for change in changes:
        if change.kind is not following.ChangeKind.BOOKMARK:
            watching.take_change(farm.cluster, change, marks=marks, at=timezone.now())
        if ObservedPod.objects.filter(container_state="running").exists():
            break
    farm.work()
    instance.refresh_from_db()
    assert instance.state == State.RUNNING
    seen = ObservedPod.objects.values().get()
    assert not seen.pop("witness_ref")
    farm.watch()
    listed = ObservedPod.objects.values().get()
    # Only a list can tell which life of the node vouches for it.
    assert listed.pop("witness_ref")
    assert listed == seen
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)
