"""One cluster that is held, silent or gone takes nothing from the others, nor from the sweep."""

from datetime import datetime, timedelta

import pytest

from provisioning import (
    claiming,
    confiding,
    installation,
    learning,
    lingering,
    marking,
    orphaned,
    waiting,
)
from provisioning.allotting import open_attempt
from provisioning.cluster import drivers, storing
from provisioning.errors import ClusterUnreachable, NoCapacity
from provisioning.models import (
    Attempt,
    Cluster,
    ClusterMark,
    ClusterState,
    ConfidedSecret,
    HoldCause,
    Instance,
    TenantNamespace,
    Volume,
)
from provisioning.states import AttemptState, VolumeState
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON

pytestmark = pytest.mark.django_db


class Clock:
    """Goes on when somebody waits."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def compared(cluster: Cluster, *, at: datetime = NOON) -> None:
    ClusterMark.objects.update_or_create(cluster=cluster, defaults={"checked_at": at})


def hold(cluster: Cluster) -> None:
    marking.hold(cluster, cause=HoldCause.RESTORED, known_until=None, at=NOON)


def ended_copy(cluster: Cluster) -> ConfidedSecret:
    """The secrets of an attempt that is over are still on the cluster."""
    attempt = factory.put_on(factory.launch(), cluster)
    Attempt.objects.filter(pk=attempt.pk).update(state=AttemptState.GONE, gone_at=NOON)
    return ConfidedSecret.objects.create(attempt=attempt, name=attempt.pod_name, intended_at=NOON)


def unreachable(*args: object, **words: object) -> None:
    raise ClusterUnreachable("Nothing listens.")


def test_slow_clusters_do_not_use_up_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("east", "west", "south"):
        factory.add_cluster(name=name)
    clock, asked = Clock(), list[str]()

    def silent(cluster: Cluster, *, at: datetime) -> bool:
        asked.append(cluster.name)
        clock.now += timedelta(seconds=10)
        raise ClusterUnreachable("It hangs.")

    monkeypatch.setattr(marking, "check", silent)
    marking.check_all(clock=clock)
    assert len(asked) == 1
    assert Cluster.objects.get(name=asked[0]).breaker_failures == 1


def test_a_cluster_that_is_left_alone_is_not_asked_for_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = factory.add_cluster()
    Cluster.objects.filter(pk=cluster.pk).update(breaker_until=NOON + timedelta(seconds=5))
    monkeypatch.setattr(marking, "check", unreachable)
    marking.check_all(clock=Clock())
    assert not Cluster.objects.get().breaker_failures


def test_nothing_is_placed_on_a_held_cluster(instance: Instance, cluster: Cluster) -> None:
    hold(cluster)
    with pytest.raises(NoCapacity):
        open_attempt(instance=instance, marks=installation.current(), at=NOON)
    Instance.objects.all().update(desired="stopped")
    assert waiting.could_start(instance.instance_type, at=NOON) == 0
    marking.Hold.objects.update(released_at=NOON)
    assert waiting.could_start(instance.instance_type, at=NOON) > 0
    assert open_attempt(instance=instance, marks=installation.current(), at=NOON)


def test_orphans_stay_until_the_number_was_compared(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory.orphan(cluster)
    swept = list[Cluster]()

    def sweep(cluster: Cluster, at: datetime) -> int:
        swept.append(cluster)
        return 1

    monkeypatch.setattr(orphaned, "_sweep_cluster", sweep)
    assert orphaned.sweep_orphans(at=NOON) == 0
    compared(cluster)
    assert orphaned.sweep_orphans(at=NOON) == 1
    assert swept == [cluster]


def test_secrets_left_on_a_silent_cluster_do_not_keep_those_of_another(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = factory.add_cluster(name="west")
    stays, goes = [ended_copy(cluster) for _ in range(2)], ended_copy(other)
    for one in (cluster, other):
        compared(one)
    asked = list[str]()

    def delete_secret(at: Cluster, *, namespace: str, name: str) -> None:
        asked.append(at.name)
        if at == cluster:
            unreachable()

    monkeypatch.setattr(storing, "delete_secret", delete_secret)
    monkeypatch.setattr(confiding, "CLEARED_AT_ONCE", 2)
    assert confiding.clear_away(at=NOON) == 1
    goes.refresh_from_db()
    assert goes.deleted_at == NOON
    # Who does not answer once is not asked again in the same round.
    assert asked == ["east", "west"]
    assert not ConfidedSecret.objects.exclude(deleted_at=None).filter(
        pk__in=[copy.pk for copy in stays]
    )


def test_secrets_are_left_where_the_number_was_not_compared(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_copy(cluster)
    monkeypatch.setattr(storing, "delete_secret", unreachable)
    assert confiding.clear_away(at=NOON) == 0
    assert not Cluster.objects.get().breaker_failures


def test_a_breaker_is_closed_by_whoever_had_the_answer(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_copy(cluster)
    compared(cluster)
    Cluster.objects.update(breaker_until=NOON - timedelta(seconds=1), breaker_failures=5)
    monkeypatch.setattr(storing, "delete_secret", lambda *args, **words: None)
    assert confiding.clear_away(at=NOON) == 1
    assert Cluster.objects.get().breaker_until is None


def test_a_claim_that_cannot_be_asked_for_does_not_hide_its_pod(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = factory.raw_pod()
    pod["spec"]["nodeName"] = "node-1"
    pod["status"]["resourceClaimStatuses"] = [{"name": "x", "resourceClaimName": "x-1"}]
    monkeypatch.setattr(drivers, "get_claim", unreachable)
    assert learning.claims_of(cluster, pod) == {}


@pytest.mark.parametrize(
    ("is_wanted", "state"), [(False, VolumeState.DELETED), (True, VolumeState.LOST)]
)
def test_a_lost_volume_goes_though_its_cluster_went_before(
    cluster: Cluster, is_wanted: bool, state: VolumeState
) -> None:
    Volume.objects.create(
        tenant_id=1,
        project_id=1,
        account=factory.open_account(),
        name="datasets",
        size_gib=5,
        cluster=cluster,
        namespace="npu-x-t1",
        claim_name="vol-x",
        is_wanted=is_wanted,
        state=VolumeState.LOST,
        state_since=NOON,
        next_reconcile_at=NOON,
        created_at=NOON,
    )
    Cluster.objects.update(state=ClusterState.REMOVED, kubeconfig_encrypted=b"")
    claiming.drain_due(clock=Clock())
    volume = Volume.objects.get()
    assert (volume.state, volume.next_reconcile_at, volume.lease_token) == (state, None, None)


def test_namespaces_of_a_removed_cluster_are_not_followed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    TenantNamespace.objects.create(
        cluster=cluster, tenant_id=1, name="npu-x-t1", applied_at=NOON, terminating_since=NOON
    )
    Cluster.objects.update(state=ClusterState.REMOVED, kubeconfig_encrypted=b"")

    def asked(*args: object, **words: object) -> None:
        raise AssertionError("nobody is there to be asked")

    monkeypatch.setattr(lingering.asking, "get_namespace", asked)
    lingering.follow_namespaces(at=NOON)
