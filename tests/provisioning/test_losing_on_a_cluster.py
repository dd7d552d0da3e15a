"""A cluster falls silent, is given up, and is back: who ran there runs again, and pays once."""

from datetime import timedelta

from django.utils import timezone

from billing.models import QuarantinedFact
from provisioning import auditing, clusters, losing, orphaned, stopping
from provisioning.models import Cluster, Instance, ObservedPod
from provisioning.states import State
from tests.provisioning.farms import Farm, kept, second, wait_until
from tests.sandbox.processes import Process


def test_a_lost_cluster_that_comes_back_is_emptied_and_used_again(
    breakable: Farm, sandbox: Process
) -> None:
    instance = breakable.until(breakable.launch(), State.RUNNING)
    second()
    breakable.watch()
    sandbox.plant("down", cluster="east", code=0)
    Cluster.objects.update(last_event_at=timezone.now() - losing.SILENT_FOR)
    losing.declare_lost(
        cluster=Cluster.objects.get(),
        confirmation="east",
        reason="The line to it is cut for good.",
        by="erin@farm.example",
        at=timezone.now(),
    )
    breakable.work()
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == (State.RECOVERING, "cluster_lost")
    [(started, ended, quality)] = kept(instance)
    assert ended is not None
    assert (ended >= started, quality) == (True, "bounded")

    sandbox.lift()
    Cluster.objects.update(breaker_until=None)
    ObservedPod.objects.update(first_seen_at=timezone.now() - timedelta(minutes=2))
    breakable.watch()
    # The pod ran all the time; it is nobody's now, and stands there until a person says so.
    [stray] = orphaned.orphans_of(breakable.cluster)
    assert stray.container_state == "running"
    assert orphaned.sweep_orphans(at=timezone.now()) == 0
    orphaned.release_orphans(
        cluster=breakable.cluster,
        uids=[str(stray.uid)],
        by="erin@farm.example",
        reason="Given up.",
        at=timezone.now(),
    )

    def sweep() -> None:
        orphaned.sweep_orphans(at=timezone.now())
        breakable.watch()

    wait_until(lambda: not ObservedPod.objects.filter(gone_at=None).exists(), sweep)
    clusters.resume_cluster(cluster=breakable.cluster, at=timezone.now())
    Instance.objects.update(state_since=timezone.now() - timedelta(minutes=10))
    breakable.until(instance, State.RUNNING)
    assert instance.attempt_no == 2

    # The first run is as it was left, whatever its container said when it ended.
    assert kept(instance)[0] == (started, ended, "bounded")
    assert not QuarantinedFact.objects.exists()
    assert auditing.audit_usage() == []
    stopping.stop_instance(instance=instance, at=timezone.now())
    breakable.until(instance, State.STOPPED)
