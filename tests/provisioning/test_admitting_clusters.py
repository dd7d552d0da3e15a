"""Clusters come in by a look, change credentials only for the same one, and leave when empty."""

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml

from provisioning import clusters, draining, looking, probing
from provisioning.cluster import asking, connections
from provisioning.errors import (
    AnotherCluster,
    ClusterAlreadyAdded,
    ClusterInUse,
    ClusterNameTaken,
    ClusterUnreachable,
    IllegalClusterState,
    IllegalSpec,
    InstanceStaysHere,
)
from provisioning.models import (
    Attempt,
    Cluster,
    ClusterCredential,
    ClusterFinding,
    ClusterState,
    Instance,
    Node,
    Pool,
    TenantNotice,
    Verdict,
)
from provisioning.states import Identity
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning import quiet
from tests.provisioning.canned import Answer, Asked, Canned, serve
from tests.provisioning.tls import Authority

UID = UUID(quiet.UID)


def kubeconfig(url: str, **user: object) -> str:
    return yaml.safe_dump(
        {
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": url}}],
            "users": [{"name": "it", "user": user or {"token": "secret"}}],
        }
    )


@pytest.fixture
def canned(on_offer: None) -> Iterator[Canned]:
    with serve() as canned:
        canned.answer = quiet.answer
        yield canned


@pytest.fixture
def east(canned: Canned) -> Cluster:
    return clusters.admit_cluster(name="east", kubeconfig=kubeconfig(canned.url), at=NOON)


def tokens(canned: Canned) -> set[str]:
    return {asked.headers["Authorization"] for asked in canned.asked}


def test_a_cluster_comes_in_with_what_was_found(east: Cluster) -> None:
    assert (east.uid, east.server_version, east.state) == (UID, "v1.36.2", "active")
    found = dict(ClusterFinding.objects.values_list("question", "verdict"))
    assert found == {
        "version": "ok",
        "watcher": "ok",
        "worker": "ok",
        "access": "ok",
        "devices": "failed",
        "device_ids": "ok",
        "device_access": "not_tried",
        "network_policy": "not_tried",
        "gateway_api": "ok",
    }


def test_each_identity_speaks_with_its_own_credentials(canned: Canned) -> None:
    others = {Identity.WATCHER: kubeconfig(canned.url, token="eyes")}
    east = clusters.admit_cluster(
        name="east", kubeconfig=kubeconfig(canned.url), others=others, at=NOON
    )
    assert tokens(canned) == {"Bearer secret", "Bearer eyes"}
    canned.asked.clear()

    asking.list_nodes(east)
    assert tokens(canned) == {"Bearer eyes"}
    asking.get_pod(east, namespace="n", name="x")
    assert tokens(canned) == {"Bearer eyes", "Bearer secret"}
    stored = ClusterCredential.objects.get()
    assert b"eyes" not in bytes(stored.kubeconfig_encrypted)


@pytest.mark.parametrize("refused", [{"name": "no spaces"}, {"name": "east"}, {"name": "twice"}])
def test_what_cannot_come_in_leaves_nothing_behind(
    east: Cluster, canned: Canned, refused: dict[str, str]
) -> None:
    with pytest.raises((IllegalSpec, ClusterNameTaken, ClusterAlreadyAdded)):
        clusters.admit_cluster(kubeconfig=kubeconfig(canned.url), at=NOON, **refused)
    assert Cluster.objects.count() == 1


def test_one_that_does_not_answer_does_not_come_in(on_offer: None) -> None:
    with pytest.raises(ClusterUnreachable):
        clusters.admit_cluster(name="east", kubeconfig=kubeconfig("http://127.0.0.1:1"), at=NOON)
    assert not Cluster.objects.exists()


def test_identities_of_two_clusters_are_no_cluster(canned: Canned) -> None:
    with serve() as other:
        other.answer = elsewhere
        others = {Identity.ACCESS: kubeconfig(other.url)}
        with pytest.raises(AnotherCluster):
            clusters.admit_cluster(
                name="east", kubeconfig=kubeconfig(canned.url), others=others, at=NOON
            )
    assert not Cluster.objects.exists()


def elsewhere(asked: Asked) -> Answer:
    """Another cluster."""
    status, body, headers = quiet.answer(asked)
    if "uid" in body.get("metadata", {}):
        body["metadata"]["uid"] = str(uuid4())
    return status, body, headers


@pytest.mark.parametrize("identity", [None, *Identity])
def test_new_credentials_have_to_lead_to_the_same_cluster(
    east: Cluster, canned: Canned, identity: Identity | None
) -> None:
    before = bytes(east.kubeconfig_encrypted)
    canned.answer = elsewhere
    with pytest.raises(AnotherCluster):
        clusters.replace_kubeconfig(
            cluster=east, kubeconfig=kubeconfig(canned.url), identity=identity, at=NOON
        )
    east.refresh_from_db()
    assert (bytes(east.kubeconfig_encrypted), east.credentials_revision) == (before, 0)
    assert not ClusterCredential.objects.exists()


def test_new_credentials_are_used_by_connections_made_before(east: Cluster, canned: Canned) -> None:
    asking.get_pod(east, namespace="n", name="x")
    fresh = kubeconfig(canned.url, token="fresh")
    clusters.replace_kubeconfig(cluster=east, kubeconfig=fresh, identity=Identity.WORKER, at=NOON)
    canned.asked.clear()
    asking.get_pod(Cluster.objects.get(), namespace="n", name="x")
    assert tokens(canned) == {"Bearer fresh"}


def test_a_cluster_added_before_its_uid_was_kept_learns_it(east: Cluster, canned: Canned) -> None:
    Cluster.objects.update(uid=None)
    east.refresh_from_db()
    probing.probe_cluster(cluster=east, at=NOON)
    assert Cluster.objects.get().uid == UID


# --- what is found --------------------------------------------------------------------------


def denying(*denied: str, everywhere: bool = False) -> Any:
    """A cluster that refuses these verbs on these resources; everywhere, or without a namespace."""

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("selfsubjectaccessreviews"):
            asks = asked.body["spec"]["resourceAttributes"]
            resource = "/".join(filter(None, (asks["resource"], asks["subresource"])))
            is_denied = f"{asks['verb']} {resource}" in denied
            allowed = not is_denied or bool(asks["namespace"] and not everywhere)
            return 201, {"status": {"allowed": allowed}}, {}
        return quiet.answer(asked)

    return answer


def test_what_an_identity_lacks_is_named(canned: Canned) -> None:
    canned.answer = denying("list nodes", "bind clusterroles", everywhere=True)
    clusters.admit_cluster(name="east", kubeconfig=kubeconfig(canned.url), at=NOON)
    found = {one.question: one for one in ClusterFinding.objects.all()}
    assert found["watcher"].verdict == Verdict.FAILED
    assert found["watcher"].facts["missing"] == ["list nodes"]
    assert "bind clusterroles.rbac.authorization.k8s.io" in found["worker"].detail
    assert found["access"].verdict == Verdict.OK


def test_who_may_not_act_everywhere_is_bound_in_each_namespace(canned: Canned) -> None:
    canned.answer = denying("create pods", "get pods/log")
    east = clusters.admit_cluster(name="east", kubeconfig=kubeconfig(canned.url), at=NOON)
    assert east.probe["bindings"] == {"worker": "us", "access": "us"}
    worker = ClusterFinding.objects.get(question="worker")
    assert (worker.verdict, worker.facts["is_bound"]) == (Verdict.OK, True)
    assert "there is none yet" in worker.detail


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("v1.36.2", Verdict.OK),
        ("v1.34.0-eks-1", Verdict.OK),
        ("v1.33.9", Verdict.FAILED),
        ("v2.0.0", Verdict.OK),
        ("", Verdict.FAILED),
        ("dev", Verdict.FAILED),
    ],
)
def test_an_old_version_is_said_so(version: str, verdict: Verdict) -> None:
    assert looking._of_version(version).verdict is verdict


def test_a_resource_nobody_knows_is_shown_and_not_sold(on_offer: None) -> None:
    found = looking._of_devices(["furiosa.ai/rngd", "example.com/resource"])
    assert found.facts["unknown"] == ["example.com/resource"]
    assert "example.com/resource" in found.detail
    assert found.facts["known"].keys() == {"furiosa.ai/rngd"}


def test_what_a_pod_showed_is_not_unlearned_by_asking(cluster: Cluster) -> None:
    by_pod = looking.Finding(
        question="device_ids",  # type: ignore[arg-type]
        verdict=Verdict.FAILED,
        facts={"source": "none", "by": "pod"},
    )
    probing.record_finding(cluster=cluster, finding=by_pod, at=NOON)
    assert Pool.objects.get(cluster=cluster).device_ids == "none"
    found = factory.look(findings=(looking._of_device_ids("v1.34.1"),))
    probing.record_look(cluster=cluster, found=found, at=NOON)
    assert Pool.objects.get(cluster=cluster).device_ids == "none"


# --- leaving --------------------------------------------------------------------------------


@pytest.fixture
def guest(east: Cluster) -> Instance:
    instance = factory.launch()
    factory.put_on(instance, east)
    return instance


def test_a_draining_cluster_takes_nothing_and_its_guests_are_told_once(
    east: Cluster, guest: Instance
) -> None:
    for _ in range(2):
        draining.drain_cluster(cluster=east, at=NOON)
    assert Cluster.objects.get().state == ClusterState.DRAINING
    notice = TenantNotice.objects.get()
    assert (notice.kind, notice.tenant_id) == ("cluster_draining", guest.tenant_id)


def test_a_guest_is_moved_off_a_draining_cluster_only(east: Cluster, guest: Instance) -> None:
    with pytest.raises(InstanceStaysHere):
        draining.move_off(instance=guest, at=NOON)
    draining.drain_cluster(cluster=east, at=NOON)
    draining.move_off(instance=guest, at=NOON)
    assert Attempt.objects.get().leave_wished_at == NOON
    assert TenantNotice.objects.filter(kind="instance_moved").count() == 1


def test_a_guest_is_stopped_and_its_tenant_told(east: Cluster, guest: Instance) -> None:
    draining.stop_on_cluster(instance=guest, at=NOON)
    guest.refresh_from_db()
    assert guest.desired == "stopped"
    assert TenantNotice.objects.get().kind == "instance_stopped_by_operator"


def test_a_cluster_with_something_of_ours_stays(east: Cluster, guest: Instance) -> None:
    draining.drain_cluster(cluster=east, at=NOON)
    with pytest.raises(ClusterInUse) as refused:
        draining.remove_cluster(cluster=east, at=NOON)
    assert "1 instances" in refused.value.message


def test_a_pod_only_the_cluster_knows_of_keeps_it(east: Cluster, canned: Canned) -> None:
    def with_pod(asked: Asked) -> Answer:
        status, body, headers = quiet.answer(asked)
        if asked.path.startswith("/api/v1/pods"):
            body["items"] = [factory.raw_pod()]
        return status, body, headers

    draining.drain_cluster(cluster=east, at=NOON)
    canned.answer = with_pod
    with pytest.raises(ClusterInUse):
        draining.remove_cluster(cluster=east, at=NOON)


def test_a_cluster_is_drained_before_it_goes(east: Cluster) -> None:
    with pytest.raises(IllegalClusterState):
        draining.remove_cluster(cluster=east, at=NOON)


def test_a_removed_cluster_is_history_without_credentials(east: Cluster, canned: Canned) -> None:
    factory.add_nodes(east)
    draining.drain_cluster(cluster=east, at=NOON)
    draining.remove_cluster(cluster=east, at=NOON)

    gone = Cluster.objects.get()
    assert (gone.state, gone.removed_at, bytes(gone.kubeconfig_encrypted)) == ("removed", NOON, b"")
    assert Node.objects.get().gone_at == NOON
    for act in (
        lambda: clusters.pause_cluster(cluster=gone),
        lambda: clusters.resume_cluster(cluster=gone, at=NOON),
        lambda: draining.drain_cluster(cluster=gone, at=NOON),
        lambda: clusters.replace_kubeconfig(
            cluster=gone, kubeconfig=kubeconfig(canned.url), at=NOON
        ),
    ):
        with pytest.raises(IllegalClusterState):
            act()
    # The machines may come back, under another name.
    with pytest.raises(ClusterNameTaken):
        clusters.admit_cluster(name="east", kubeconfig=kubeconfig(canned.url), at=NOON)
    clusters.admit_cluster(name="again", kubeconfig=kubeconfig(canned.url), at=NOON)


def test_resuming_wakes_whoever_waits(cluster: Cluster) -> None:
    clusters.pause_cluster(cluster=cluster)
    waiting = factory.launch()
    Instance.objects.update(next_reconcile_at=NOON + timedelta(hours=1))
    clusters.resume_cluster(cluster=cluster, at=NOON)
    waiting.refresh_from_db()
    assert waiting.next_reconcile_at == NOON


# --- keys -----------------------------------------------------------------------------------


def test_a_client_certificate_is_shown_and_never_lies_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.make()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with authority.server() as server:
        config = {
            "clusters": [
                {
                    "cluster": {
                        "server": server.url,
                        "certificate-authority-data": authority.certificate_data,
                    }
                }
            ],
            "users": [{"user": authority.client("npu-farm-worker")}],
        }
        with connections.trying({Identity.WATCHER: config}):
            asking.version(Cluster(name="x"))
    assert server.seen == ["npu-farm-worker"]
    assert list(tmp_path.iterdir()) == []


def test_a_server_of_another_authority_is_not_believed() -> None:
    authority, other = Authority.make(), Authority.make()
    with authority.server() as server:
        cluster = {"server": server.url, "certificate-authority-data": other.certificate_data}
        config = {"clusters": [{"cluster": cluster}], "users": [{"user": {"token": "t"}}]}
        with (
            connections.trying({Identity.WATCHER: config}),
            pytest.raises(ClusterUnreachable),
        ):
            asking.version(Cluster(name="x"))
    assert server.seen == []
