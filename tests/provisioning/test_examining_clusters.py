"""What only pods can show of a cluster: devices, walls, and what a binding gives."""

from typing import Any

import pytest
from django.utils import timezone

from provisioning import examining, probes
from provisioning.cluster import asking
from provisioning.errors import IllegalClusterState
from provisioning.models import Cluster, ClusterFinding, Pool, Verdict
from provisioning.probes import Ground, Tried
from tests.factories import provisioning as factory
from tests.provisioning.farms import Farm

GROUND = Ground(marks=factory.MARKS, namespace="npu-test0001-probe", image="registry.local/x:1")


def ended(code: int, message: str = "", devices: tuple[str, ...] = ()) -> dict[str, Any]:
    told = [{"name": factory.RNGD, "resources": [{"resourceID": one} for one in devices]}]
    state = {"terminated": {"exitCode": code, "message": message}}
    status = {"state": state, "allocatedResourcesStatus": told if devices else []}
    return {"status": {"phase": "Failed", "containerStatuses": [status]}}


def test_a_cluster_is_examined_and_nothing_is_left_behind(farm: Farm) -> None:
    Pool.objects.update(device_ids="none")
    examining.examine_cluster(cluster=farm.cluster, clock=timezone.now)

    findings = dict(ClusterFinding.objects.values_list("question", "verdict"))
    tried = {key: findings.pop(key) for key in ("device_access", "network_policy")}
    assert set(findings.values()) == {Verdict.OK}, findings
    # A real lab may have no device files and no policies; whatever it is, it was looked into.
    assert "Nobody has examined" not in str(
        list(ClusterFinding.objects.filter(question__in=tried).values_list("detail", flat=True))
    )
    # What a driver hands out, a claim tells of.
    counted = Pool.objects.filter(allocation="device_plugin")
    assert set(counted.values_list("device_ids", flat=True)) == {"status"}
    farm.cluster.refresh_from_db()
    assert farm.cluster.examination_started_at is None
    ground = probes.Ground(marks=examining.installation.current(), namespace="", image="")
    assert list(asking.list_pods(farm.cluster, selector=ground.selector)) == []


def test_the_sandbox_lets_anybody_open_its_devices_and_has_no_network(breakable: Farm) -> None:
    examining.examine_cluster(cluster=breakable.cluster, clock=timezone.now)

    found = {one.question: one for one in ClusterFinding.objects.all()}
    assert found["device_access"].verdict == Verdict.OK
    assert found["network_policy"].verdict == Verdict.NOT_TRIED
    assert found["network_policy"].facts == {"let_through": 4, "kept_out": 4}


def test_a_cluster_is_examined_by_one_at_a_time(db: None) -> None:
    cluster = factory.add_cluster()
    examining.claim_examination(cluster=cluster, at=factory.NOON)
    with pytest.raises(IllegalClusterState):
        examining.claim_examination(cluster=cluster, at=factory.NOON)
    # Somebody who died over it does not keep it for ever.
    examining.claim_examination(cluster=cluster, at=factory.NOON + examining.CLAIM_LASTS * 1.01)


def test_an_examination_that_cannot_reach_the_cluster_says_so(db: None) -> None:
    cluster = factory.add_cluster()
    with pytest.raises(examining.ProvisioningError):
        examining.examine_cluster(cluster=cluster, clock=timezone.now)
    found = ClusterFinding.objects.get(question="device_access")
    assert (found.verdict, found.detail[:27]) == ("not_tried", "The cluster does not answer")
    assert Cluster.objects.get().examination_started_at is None


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ({}, Verdict.NOT_TRIED),
        ({"a": Tried(exit_code=0)}, Verdict.OK),
        ({"a": Tried(exit_code=0), "b": Tried(exit_code=3, message="denied")}, Verdict.FAILED),
        ({"a": Tried(exit_code=2)}, Verdict.NOT_TRIED),
        ({"a": Tried(exit_code=None, message="0/1 nodes")}, Verdict.NOT_TRIED),
        ({"a": Tried(exit_code=127)}, Verdict.NOT_TRIED),
    ],
)
def test_one_device_nobody_may_open_fails_the_cluster(
    outcomes: dict[str, Tried], verdict: Verdict
) -> None:
    assert probes.of_device_access(outcomes).verdict is verdict


@pytest.mark.parametrize(
    ("may", "may_not", "verdict"),
    [
        (0, 4, Verdict.OK),
        (0, 0, Verdict.FAILED),
        (4, 0, Verdict.FAILED),
        (4, 4, Verdict.NOT_TRIED),
        (None, 4, Verdict.NOT_TRIED),
        (0, None, Verdict.NOT_TRIED),
    ],
)
def test_a_wall_holds_when_it_keeps_out_and_lets_through(
    may: int | None, may_not: int | None, verdict: Verdict
) -> None:
    found = probes.of_wall(let_through=Tried(exit_code=may), kept_out=Tried(exit_code=may_not))
    assert found.verdict is verdict


def test_a_pod_tells_what_it_came_to() -> None:
    assert probes.tried(ended(3, "denied: /dev/npu0", ("npu0",))) == Tried(
        exit_code=3, message="denied: /dev/npu0", tells_devices=True
    )
    assert probes.tried({"status": {"phase": "Pending"}}) is None
    refused = {"status": {"phase": "Failed", "reason": "UnexpectedAdmissionError"}}
    assert probes.tried(refused) == Tried(exit_code=None, message="UnexpectedAdmissionError")


def test_pods_that_ran_and_told_no_device_say_where_ids_come_from() -> None:
    assert probes.of_device_ids({"a": Tried(exit_code=None)}) is None
    silent = probes.of_device_ids({"a": Tried(exit_code=0)})
    assert silent is not None
    assert (silent.verdict, silent.facts["source"]) == (Verdict.FAILED, "none")


def test_a_probe_is_no_pod_the_watcher_follows() -> None:
    pod = probes.device_pod(GROUND, name="x", resource_name=factory.RNGD)
    followed = dict(term.split("=") for term in factory.MARKS.selector.split(","))
    assert not followed.items() <= pod["metadata"]["labels"].items()
    assert "finalizers" not in pod["metadata"]
