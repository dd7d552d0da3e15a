"""A whole life of an instance on a real cluster, as watcher, worker and access and nobody else."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.utils import timezone

from provisioning import examining, reading, stopping
from provisioning.cluster import asking, connections, requests
from provisioning.cluster.errors import ClusterRefused
from provisioning.models import Cluster, ClusterFinding, InstanceType, Verdict
from provisioning.states import Identity, State
from tests.clusters_real import restricted
from tests.factories import provisioning as factory
from tests.provisioning.farms import Farm, kept

pytestmark = pytest.mark.skipif(
    "CLUSTER_KUBECONFIG" not in os.environ or shutil.which("kubectl") is None,
    reason="rbac: needs kubectl and a real cluster in CLUSTER_KUBECONFIG",
)
SPEAKS = ("sh", "-c", "echo here I am; trap 'exit 143' TERM; while true; do sleep 0.1; done")


@pytest.fixture
def farm(db: None) -> Iterator[Farm]:
    """A cluster known by three kubeconfigs, of which none may do everything."""
    factory.load_catalog()
    InstanceType.objects.update(cpu_millicores=10, memory_mib=16, storage_gib=1)
    farm = Farm(restricted.admit_cluster())
    farm.watch()
    yield farm
    restricted.clear()


def test_an_instance_lives_and_ends_under_restricted_identities(farm: Farm) -> None:
    assert set(farm.cluster.probe["bindings"]) == {"worker", "access"}
    instance = farm.until(farm.launch(command=SPEAKS), State.RUNNING)

    assert "here I am" in reading.read_logs(instance=instance)
    assert reading.read_events(instance=instance)
    farm.cluster.refresh_from_db()
    assert farm.cluster.state == "active"

    stopping.stop_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.STOPPED)
    [(_, ended_at, quality)] = kept(instance)
    assert ended_at is not None
    assert quality == "exact"
    assert farm.pods_of(instance) == []


def test_an_examination_needs_no_more_than_the_identities_have(farm: Farm) -> None:
    examining.examine_cluster(cluster=farm.cluster, clock=timezone.now)

    found = {one.question: one for one in ClusterFinding.objects.all()}
    for identity in Identity:
        assert found[identity].verdict == Verdict.OK, found[identity].detail
        assert found[identity].facts["user"].endswith(f"npu-farm-{identity}")
    assert found["worker"].facts["seen_in"].endswith("-probe")
    assert found["version"].verdict == Verdict.OK
    assert found["devices"].verdict == Verdict.OK


def test_an_identity_does_no_more_than_its_own(farm: Farm) -> None:
    path = "/api/v1/namespaces/kube-system/secrets"
    for identity in Identity:
        with pytest.raises(ClusterRefused):
            requests.ask(
                connections.connection_to(Cluster.objects.get(), identity),
                requests.Request(method="GET", path=path),
            )
    with pytest.raises(ClusterRefused):
        asking.get_pod(farm.cluster, namespace="kube-system", name="x")
