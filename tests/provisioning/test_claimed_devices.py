"""Instances whose devices a driver hands out: the claim says which, and is given back.

On a real cluster (`CLUSTER_KUBECONFIG`) these need the simulated driver on one node:
`python -m provisioning.sandbox.dra_driver --driver npu.rebellions.ai --count 8 --node NAME`.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from provisioning import entitling, installation, relisting, stopping
from provisioning.cluster import drivers
from provisioning.cluster import watching as following
from provisioning.models import (
    Allocation,
    AllocationMode,
    Instance,
    NodeCapacity,
    ObservedPod,
    Pool,
)
from provisioning.states import State
from provisioning.watching import take_change
from tests.provisioning.farms import Farm, is_over, kept, runs, told, wait_until
from tests.sandbox.processes import Process

pytestmark = pytest.mark.django_db(transaction=True)

CLASS = "npu.rebellions.ai"


@pytest.fixture
def claimed(sandbox: Process, small: None) -> Iterator[Farm]:
    """A cluster where a driver publishes ATOM devices."""
    given = os.environ.get("CLUSTER_KUBECONFIG")
    farm = Farm.on(Path(given) if given else sandbox.folder / "west.kubeconfig")
    assert Pool.objects.filter(resource_name=CLASS).exists(), "no driver publishes ATOM devices"
    yield farm
    # Gently: a pod that is forced away may leave its devices to a driver that still holds them.
    for instance in Instance.objects.exclude(state=State.TERMINATED):
        stopping.terminate_instance(instance=instance, at=timezone.now())
        farm.until(instance, State.TERMINATED)
    wait_until(lambda: not claims(farm), what=lambda: str(claims(farm)))
    farm.clear()


def claims(farm: Farm) -> list[dict[str, Any]]:
    return drivers.list_claims(farm.cluster, selector=installation.current().selector)


def given(claim: dict[str, Any]) -> list[str]:
    results = claim["status"]["allocation"]["devices"]["results"]
    return [result["device"] for result in results]


def run(farm: Farm, instance: Instance) -> Instance:
    """Until it runs.  A real kubelet may be told of a claim before it may read it; it looks
    again a minute later."""

    def is_there() -> bool:
        instance.refresh_from_db()
        return instance.state == State.RUNNING

    def part() -> None:
        farm.work()
        farm.watch()

    wait_until(is_there, part, lambda: f"{instance.state} {instance.message}", seconds=150.0)
    return instance


def launch(farm: Farm, size: str = "atom-1") -> Instance:
    return farm.launch(instance_type=size)


def test_published_devices_are_a_pool_of_their_class(claimed: Farm) -> None:
    pool = Pool.objects.get(cluster=claimed.cluster, resource_name=CLASS)
    assert (pool.allocation, pool.family.slug) == (AllocationMode.DRA, "rebellions-atom")
    row = NodeCapacity.objects.get(pool=pool)
    assert (row.capacity, row.allocatable) == (8, 8)


def test_a_claimed_device_is_named_metered_and_given_back(claimed: Farm) -> None:
    instance = run(claimed, launch(claimed, "atom-4"))
    pod = next(iter(claimed.pods_of(instance)))
    assert CLASS not in pod["spec"]["containers"][0]["resources"]["limits"]
    claim = next(iter(claims(claimed)))
    held = Allocation.objects.filter(instance=instance)
    assert sorted(row.device_id for row in held) == sorted(given(claim))
    assert {row.resource_name for row in held} == {CLASS}
    assert len(held) == 4
    time.sleep(1.1)
    stopping.terminate_instance(instance=instance, at=timezone.now())
    claimed.work()
    over = claimed.until_pod(instance, is_over)
    # The finalizer still holds the pod, and its devices are free already.
    assert over["metadata"]["finalizers"]
    wait_until(lambda: not claims(claimed), what=lambda: str(claims(claimed)))
    claimed.until(instance, State.TERMINATED)
    assert kept(instance) == [(*told(over), "exact")]
    assert not Allocation.objects.filter(instance=instance, ended_at__isnull=True).exists()


def test_the_watch_learns_the_devices_without_another_list(claimed: Farm) -> None:
    instance = launch(claimed)
    marks = installation.current()
    version = following_version(claimed)
    for _ in range(4):
        claimed.work()
    claimed.until_pod(instance, runs)
    for change in following.watch_pods(
        claimed.cluster, selector=marks.selector, resource_version=version, seconds=2
    ):
        if change.kind is not following.ChangeKind.BOOKMARK:
            take_change(claimed.cluster, change, marks=marks, at=timezone.now())
    pod = ObservedPod.objects.get(instance_id=instance.pk)
    assert [device["device_id"] for device in pod.devices] == given(claims(claimed)[0])


def following_version(farm: Farm) -> str:
    return relisting.relist(farm.cluster, clock=timezone.now)


def test_what_the_claim_could_not_say_then_the_next_list_says(claimed: Farm) -> None:
    instance = run(claimed, launch(claimed))
    ObservedPod.objects.filter(instance_id=instance.pk).update(devices=[])
    Allocation.objects.filter(instance=instance).delete()
    claimed.watch()
    assert len(ObservedPod.objects.get(instance_id=instance.pk).devices) == 1
    assert Allocation.objects.filter(instance=instance).count() == 1


def test_two_instances_never_hold_one_device(claimed: Farm) -> None:
    first, second = launch(claimed, "atom-4"), launch(claimed, "atom-4")
    run(claimed, first)
    run(claimed, second)
    ids = Allocation.objects.filter(instance__in=[first, second]).values_list("device_id")
    assert len(set(ids)) == 8
    third = launch(claimed)
    claimed.until(third, State.QUEUED)
    claimed.work()
    third.refresh_from_db()
    assert (third.state, third.reason) == (State.QUEUED, "no_capacity")


def test_the_namespace_limits_what_can_be_claimed(claimed: Farm) -> None:
    entitled = entitling.devices_on(claimed.cluster)
    assert dict(entitled["device_classes"])[CLASS] == 8
    assert CLASS not in dict(entitled["devices"])
    counts = {request.count for request in entitled["requests"]}
    assert counts == {1, 4, 8}
