"""Volumes on a cluster that answers: created, mounted, kept, grown, let go."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from provisioning import claiming, expiring, stopping, volumes
from provisioning.cluster import storing
from provisioning.cluster.errors import NotFound
from provisioning.errors import (
    IllegalMount,
    IllegalVolume,
    UnknownVolume,
    VolumeCannotGrow,
    VolumeInUse,
    VolumeNameTaken,
)
from provisioning.models import Attempt, Instance, TenantNotice, Volume, VolumeAttachment
from provisioning.specs import VolumeMount
from provisioning.states import AttemptState, State, VolumeState
from tests.factories import provisioning as factory
from tests.provisioning.farms import Farm, wait_until

DATA = "/data"


def create(farm: Farm, *, name: str = "datasets", size_gib: int = 5, **words: Any) -> Volume:
    volume = wish(farm, name=name, size_gib=size_gib, **words)
    return look(volume)


def wish(farm: Farm, *, name: str = "datasets", size_gib: int = 5, **words: Any) -> Volume:
    return volumes.create_volume(
        tenant_id=farm.account.tenant_id,
        project_id=1,
        account_id=farm.account.pk,
        name=name,
        size_gib=size_gib,
        cluster=farm.cluster,
        at=timezone.now(),
        **words,
    )


def look(volume: Volume) -> Volume:
    """The worker's part, whatever the clock says."""
    Volume.objects.filter(pk=volume.pk, next_reconcile_at__isnull=False).update(
        next_reconcile_at=timezone.now()
    )
    claiming.drain_due(clock=timezone.now)
    volume.refresh_from_db()
    return volume


def until(volume: Volume, is_so: Any) -> Volume:
    wait_until(
        lambda: bool(is_so(volume)),
        lambda: look(volume),
        lambda: f"{volume.state} {volume.reason} {volume.message}",
    )
    return volume


def mounted(farm: Farm, *mounts: Volume, path: str = DATA) -> Instance:
    given = tuple(VolumeMount(one.pk, f"{path}{no or ''}") for no, one in enumerate(mounts))
    return farm.launch(volumes=given)


def claim_of(volume: Volume) -> dict[str, Any]:
    return storing.get_claim(volume.cluster, namespace=volume.namespace, name=volume.claim_name)


def end(farm: Farm, instance: Instance) -> None:
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_a_volume_is_bound_with_its_first_instance_and_outlives_it(farm: Farm) -> None:
    volume = until(create(farm), lambda v: v.reason == "waits_for_first_instance")
    assert (volume.state, volume.spans.count()) == (VolumeState.PENDING, 0)

    instance = farm.until(mounted(farm, volume), State.RUNNING)
    until(volume, lambda v: v.state == VolumeState.READY)
    assert volume.capacity_gib == 5
    pod = farm.pods_of(instance)[0]
    assert pod["spec"]["containers"][0]["volumeMounts"] == [{"name": "volume-0", "mountPath": DATA}]

    end(farm, instance)
    assert look(volume).state == VolumeState.READY
    assert claim_of(volume)["status"]["phase"] == "Bound"
    attachment = VolumeAttachment.objects.get(volume=volume)
    assert attachment.attached_at < attachment.detached_at
    span = volume.spans.get()
    assert (span.size_gib, span.ended_at) == (5, None)

    again = farm.until(mounted(farm, volume), State.RUNNING)
    assert Attempt.objects.get(instance=again).attachments.get().volume == volume


def test_of_two_instances_with_one_volume_the_second_waits_and_is_woken(farm: Farm) -> None:
    volume = create(farm)
    first = farm.until(mounted(farm, volume), State.RUNNING)
    second = mounted(farm, volume)
    farm.work()
    second.refresh_from_db()
    assert (second.state, second.reason) == (State.QUEUED, "volume_in_use")
    assert not second.attempts.exists()

    end(farm, first)
    farm.until(second, State.RUNNING)


def test_a_volume_that_instances_have_is_not_deleted(farm: Farm) -> None:
    volume = create(farm)
    instance = mounted(farm, volume)
    with pytest.raises(VolumeInUse):
        volumes.delete_volume(volume=volume, at=timezone.now())

    end(farm, instance)
    volumes.delete_volume(volume=volume, at=timezone.now())
    until(volume, lambda v: v.state == VolumeState.DELETED)
    with pytest.raises(NotFound):
        claim_of(volume)


def test_a_deleted_volume_is_charged_no_longer_and_its_name_is_free(farm: Farm) -> None:
    volume = create(farm)
    end(farm, farm.until(mounted(farm, volume), State.RUNNING))
    until(volume, lambda v: v.state == VolumeState.READY)
    with pytest.raises(VolumeNameTaken):
        create(farm)

    at = timezone.now()
    volumes.delete_volume(volume=volume, at=at)
    span = volume.spans.get()
    assert (span.ended_at, span.end_reason) == (at, "deleted")
    until(volume, lambda v: v.state == VolumeState.DELETED)
    assert volume.spans.count() == 1
    create(farm)


def test_a_volume_grows_where_its_class_allows_it(farm: Farm) -> None:
    volume = create(farm)
    end(farm, farm.until(mounted(farm, volume), State.RUNNING))
    until(volume, lambda v: v.state == VolumeState.READY)
    volumes.check_growth(volume=volume)
    volumes.grow_volume(volume=volume, size_gib=8, at=timezone.now())
    until(volume, lambda v: v.capacity_gib == 8)
    before, after = volume.spans.order_by("no")
    assert (before.size_gib, after.size_gib, after.ended_at) == (5, 8, None)
    assert before.ended_at == after.started_at
    with pytest.raises(IllegalVolume):
        volumes.grow_volume(volume=volume, size_gib=8, at=timezone.now())


def test_growth_a_cluster_refuses_is_taken_back_with_its_words(farm: Farm) -> None:
    volume = create(farm)
    end(farm, farm.until(mounted(farm, volume), State.RUNNING))
    until(volume, lambda v: v.state == VolumeState.READY)
    _let_classes_grow(farm, False)
    try:
        with pytest.raises(VolumeCannotGrow):
            volumes.check_growth(volume=volume)
        # Whoever wished a moment earlier is answered by the cluster.
        volumes.grow_volume(volume=volume, size_gib=8, at=timezone.now())
        until(volume, lambda v: v.reason == "growth_refused")
    finally:
        _let_classes_grow(farm, True)
    assert volume.size_gib == 5
    assert "must support resize" in volume.message
    assert look(volume).reason == ""


def _let_classes_grow(farm: Farm, may_grow: bool) -> None:
    kind = storing.find_class(farm.cluster, name="")
    assert kind is not None
    name = kind["metadata"]["name"]
    wish = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    wish |= {"provisioner": kind["provisioner"], "allowVolumeExpansion": may_grow}
    storing._apply(farm.cluster, f"{storing.CLASSES}/{name}", wish)


def test_a_claim_taken_away_by_hand_is_a_lost_volume_and_nothing_is_put_in_its_place(
    farm: Farm,
) -> None:
    volume = create(farm)
    end(farm, farm.until(mounted(farm, volume), State.RUNNING))
    until(volume, lambda v: v.state == VolumeState.READY)
    uid = claim_of(volume)["metadata"]["uid"]
    storing.delete_claim(farm.cluster, namespace=volume.namespace, name=volume.claim_name, uid=uid)
    until(volume, lambda v: v.state == VolumeState.LOST)
    assert volume.spans.get().ended_at == volume.seen_at
    with pytest.raises(NotFound):
        claim_of(volume)
    with pytest.raises(UnknownVolume):
        mounted(farm, volume)
    volumes.delete_volume(volume=volume, at=timezone.now())
    until(volume, lambda v: v.state == VolumeState.DELETED)


def test_an_attempt_that_is_not_certainly_gone_keeps_its_volume(farm: Farm) -> None:
    volume = create(farm)
    instance = farm.until(mounted(farm, volume), State.RUNNING)
    attempt = instance.attempts.get()
    with pytest.raises(DatabaseError), transaction.atomic():
        VolumeAttachment.objects.create(
            attempt=Attempt.objects.create(
                instance=instance,
                no=2,
                launch_no=1,
                cluster=farm.cluster,
                pool=attempt.pool,
                namespace=attempt.namespace,
                pod_name=f"{instance.pk}-a2",
                device_count=1,
                intended_at=timezone.now(),
            ),
            instance=instance,
            volume=volume,
            path=DATA,
            attached_at=timezone.now(),
        )
    assert attempt.state != AttemptState.GONE


@pytest.mark.parametrize(
    "path",
    ["data", "/", "/etc", "/etc/ssl", "/usr/lib", "/proc", "/dev/shm", "/run/secrets", "/data/",
     "/data/../etc", "/da ta", "/a:b", "//data", "/data/./x", "/" + "a" * 200, "", "/데이터",
     "/run", "/var", "/data\n"],
)  # fmt: skip
def test_no_volume_is_mounted_where_it_must_not_be(farm: Farm, path: str) -> None:
    volume = create(farm)
    with pytest.raises(IllegalMount):
        farm.launch(volumes=(VolumeMount(volume.pk, path),))
    assert not Instance.objects.exists()


def test_two_volumes_lie_neither_under_one_path_nor_inside_each_other(farm: Farm) -> None:
    one, two = create(farm, name="one"), create(farm, name="two")
    for path in (DATA, f"{DATA}/more"):
        with pytest.raises(IllegalMount):
            farm.launch(volumes=(VolumeMount(one.pk, DATA), VolumeMount(two.pk, path)))
    with pytest.raises(IllegalMount):
        farm.launch(volumes=(VolumeMount(one.pk, DATA), VolumeMount(one.pk, "/more")))
    farm.launch(volumes=(VolumeMount(one.pk, DATA), VolumeMount(two.pk, f"{DATA}-more")))


def test_another_projects_volume_is_as_if_there_were_none(farm: Farm) -> None:
    volume = create(farm)
    with pytest.raises(UnknownVolume):
        farm.launch(volumes=(VolumeMount(volume.pk, DATA),), project_id=2)
    with pytest.raises(UnknownVolume):
        factory.launch(volumes=(VolumeMount(volume.pk, DATA),), project_id=9, at=timezone.now())


def test_a_volume_goes_at_its_end_only_after_a_warning_and_only_when_nobody_has_it(
    farm: Farm,
) -> None:
    now = timezone.now()
    volume = create(farm, expires_at=now + timedelta(days=3))
    instance = mounted(farm, volume)
    assert expiring.expire_volumes(at=now) == 0
    notice = TenantNotice.objects.get(kind="volume_expiring")
    assert notice.detail["volume"] == "datasets"
    assert expiring.expire_volumes(at=now + timedelta(days=4)) == 0
    assert TenantNotice.objects.count() == 1

    end(farm, instance)
    assert expiring.expire_volumes(at=now + timedelta(days=4)) == 1
    until(volume, lambda v: v.state == VolumeState.DELETED)


def test_nothing_goes_unannounced_when_the_farm_slept_through_the_warning(farm: Farm) -> None:
    now = timezone.now()
    create(farm, expires_at=now + timedelta(days=1))
    late = now + timedelta(days=30)
    assert expiring.expire_volumes(at=late) == 0
    assert expiring.expire_volumes(at=late + timedelta(hours=23)) == 0
    assert expiring.expire_volumes(at=late + timedelta(hours=25)) == 1


def test_spans_are_history_that_nobody_rewrites(farm: Farm) -> None:
    volume = create(farm)
    end(farm, farm.until(mounted(farm, volume), State.RUNNING))
    until(volume, lambda v: v.state == VolumeState.READY)
    span = volume.spans.get()
    for change in ({"size_gib": 1}, {"started_at": timezone.now()}):
        with pytest.raises(DatabaseError), transaction.atomic():
            volume.spans.update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        span.delete()
    volumes.delete_volume(volume=volume, at=timezone.now())
    with pytest.raises(DatabaseError), transaction.atomic():
        volume.spans.update(ended_at=timezone.now())


def test_a_cluster_that_does_not_answer_changes_nothing_of_a_volume(db: None) -> None:
    farm = Farm(factory.add_cluster())
    volume = wish(farm)
    began = time.monotonic()
    claiming.drain_due(clock=timezone.now)
    assert time.monotonic() - began < 10
    volume.refresh_from_db()
    assert (volume.state, volume.claim_uid) == (VolumeState.PENDING, None)
    assert volume.next_reconcile_at is not None
