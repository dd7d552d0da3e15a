"""Pods that are nobody's, and what is let go by hand, on a cluster that answers."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from billing.models import QuarantinedFact
from provisioning import alarms, attempts, installation, manifests, orphaned, stopping
from provisioning.cluster import asking
from provisioning.errors import NothingToRelease
from provisioning.models import Attempt, Instance, ObservedPod
from provisioning.states import State
from tests.provisioning.farms import Farm, is_over, kept, runs, second, wait_until


def stray_pod(farm: Farm, like: Instance) -> str:
    """A pod of an instance that is in no table, as after a database was restored."""
    attempt = Attempt.objects.select_related("pool__family__vendor").get(instance=like)
    spec = attempts.spec_of(
        instance=like, attempt_no=1, pool=attempt.pool, marks=installation.current()
    )
    unknown = replace(spec, instance_id=uuid4(), name=f"stray-{uuid4()}")
    pod = asking.create_pod(farm.cluster, manifests.pod_for(unknown))
    return str(pod["metadata"]["uid"])


def test_a_pod_nobody_knows_is_cleared_away_once_a_person_has_named_it(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    uid = stray_pod(farm, like=instance)
    wait_until(lambda: ObservedPod.objects.filter(uid=uid, phase="Running").exists(), farm.watch)
    second()
    assert orphaned.sweep_orphans(at=timezone.now()) == 0
    ObservedPod.objects.update(first_seen_at=timezone.now() - timedelta(minutes=2))
    farm.watch()
    # One pod in two is a crowd: on a small farm nothing goes without a person.
    assert orphaned.sweep_orphans(at=timezone.now()) == 0
    assert farm.cluster.alarms.get().code == "orphans_blocked"
    with pytest.raises(NothingToRelease):
        release(farm, [str(ObservedPod.objects.exclude(uid=uid).get().uid)])
    release(farm, [uid])

    def sweep() -> None:
        farm.watch()
        orphaned.sweep_orphans(at=timezone.now())

    wait_until(lambda: ObservedPod.objects.get(uid=uid).gone_at is not None, sweep)
    assert not alarms.open_alarms().exists()
    # Its seconds belong to nobody we know; a person has to say what becomes of them.
    facts = QuarantinedFact.objects.filter(fact__holder_uid=uid)
    assert {fact.account for fact in facts} == {None}
    assert any(fact.period_until and fact.period_until > fact.period_from for fact in facts)
    assert runs(farm.pods_of(instance)[0])
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def release(farm: Farm, uids: list[str]) -> None:
    orphaned.release_orphans(
        cluster=farm.cluster, uids=uids, by="dana", reason="a copy by hand", at=timezone.now()
    )


def test_a_copy_of_a_known_pod_is_an_orphan_too(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    own = farm.pods_of(instance)[0]
    metadata = own["metadata"]
    copied = {name: metadata[name] for name in ("namespace", "labels", "annotations", "finalizers")}
    spec = {name: value for name, value in own["spec"].items() if name != "nodeName"}
    copy = {**own, "metadata": {**copied, "name": f"copy-{uuid4()}"}, "spec": spec}
    uid = asking.create_pod(farm.cluster, {**copy, "status": {}})["metadata"]["uid"]
    farm.watch()
    ObservedPod.objects.update(first_seen_at=timezone.now() - timedelta(minutes=2))
    farm.watch()
    farm.work()
    assert [str(pod.uid) for pod in orphaned.orphans_of(farm.cluster)] == [uid]
    release(farm, [uid])

    def sweep() -> None:
        farm.watch()
        orphaned.sweep_orphans(at=timezone.now())

    wait_until(lambda: ObservedPod.objects.get(uid=uid).gone_at is not None, sweep)
    assert [pod["metadata"]["uid"] for pod in farm.pods_of(instance)] == [metadata["uid"]]
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_a_crowd_of_orphans_is_left_alone(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    uids = [stray_pod(farm, like=instance) for _ in range(3)]
    farm.watch()
    ObservedPod.objects.update(first_seen_at=timezone.now() - timedelta(minutes=2))
    farm.watch()
    assert orphaned.sweep_orphans(at=timezone.now()) == 0
    farm.watch()
    assert ObservedPod.objects.filter(uid__in=uids, gone_at=None, is_deleting=False).count() == 3
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)


def test_finalizers_are_released_for_taking_the_product_off(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    with pytest.raises(CommandError, match="1 kept"):
        call_command("release_finalizers", "east")
    with pytest.raises(CommandError, match="because"):
        call_command("release_finalizers", "east", force=True)
    farm.delete_by_hand(instance)
    farm.until_pod(instance, is_over)
    farm.watch()
    said = StringIO()
    call_command("release_finalizers", "east", dry_run=True, stdout=said)
    assert "1 would be released" in said.getvalue()
    assert len(farm.pods_of(instance)) == 1
    call_command("release_finalizers", "east")
    wait_until(lambda: not farm.pods_of(instance))
    with pytest.raises(CommandError):
        call_command("release_finalizers", "no-such-cluster")


def test_what_is_let_go_unsettled_ends_as_last_proved_and_says_by_whom(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    farm.watch()
    call_command("release_finalizers", "east", force=True, because="the farm moves house")
    word = farm.cluster.alarms.get()
    assert (word.code, word.close_reason) == ("finalizers_forced", "the farm moves house")
    assert word.closed_by
    assert not farm.pods_of(instance)[0]["metadata"].get("finalizers")
    farm.delete_by_hand(instance)
    wait_until(lambda: not farm.pods_of(instance))
    farm.watch()
    ((_, ended_at, quality),) = kept(instance)
    assert ended_at is not None
    assert quality == "bounded"
