"""Clusters over the API: for operators, and without a word of their credentials."""

from uuid import uuid4

import pytest

from portal.tenants.models import User
from provisioning import clusters
from provisioning.cluster import reviewing
from provisioning.models import Cluster
from tests.factories import provisioning as factory
from tests.factories.portal import NOON
from tests.portal.conftest import Calls
from tests.portal.test_api_bad_input import KUBECONFIG

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cluster answers when it is added."""
    monkeypatch.setattr(clusters, "look_at", lambda cluster: factory.look())


BODY = {"name": "gwangju", "kubeconfig": KUBECONFIG % "{token: very-secret}"}


def test_a_cluster_is_added_paused_and_resumed(api: Calls, erin: User) -> None:
    operator = api(erin)

    added = operator.post("/api/v1/clusters", BODY)
    assert (added.status_code, added.json()["state"]) == (201, "active")
    address = f"/api/v1/clusters/{added.json()['id']}"
    assert operator.post(f"{address}/pause").json()["state"] == "paused"
    assert operator.post(f"{address}/resume").json()["state"] == "active"
    again = operator.post("/api/v1/clusters", BODY)
    assert (again.status_code, again.json()["code"]) == (409, "cluster_name_taken")


def test_its_state_has_an_age(api: Calls, erin: User, bob: User) -> None:
    operator = api(erin)
    operator.post("/api/v1/clusters", BODY)
    assert operator.get("/api/v1/clusters").json()["results"][0]["state_age_seconds"] is None

    Cluster.objects.update(last_event_at=NOON.replace(hour=2, minute=59))

    assert api(bob).get("/api/v1/clusters").json()["results"][0]["state_age_seconds"] == 60


def test_credentials_never_leave(api: Calls, erin: User) -> None:
    operator = api(erin)
    added = operator.post("/api/v1/clusters", BODY)

    for answer in (
        added,
        operator.get("/api/v1/clusters"),
        operator.get(f"/api/v1/clusters/{added.json()['id']}"),
    ):
        assert "secret" not in answer.content.decode()
        assert "kubeconfig" not in answer.content.decode()
    assert b"very-secret" not in bytes(Cluster.objects.get().kubeconfig_encrypted)


def test_an_unreachable_cluster_is_told_as_such_and_not_added(
    api: Calls, erin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    closed = KUBECONFIG.replace("6443", "1") % "{token: t}"

    answer = api(erin).post("/api/v1/clusters", {"name": "nowhere", "kubeconfig": closed})

    assert (answer.status_code, answer.json()["code"]) == (503, "cluster_unreachable")
    assert answer.json()["retryable"] is True
    assert not Cluster.objects.exists()


def test_the_same_cluster_is_not_added_under_another_name(
    api: Calls, erin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = factory.look()
    monkeypatch.setattr(clusters, "look_at", lambda cluster: same)
    api(erin).post("/api/v1/clusters", BODY)
    again = api(erin).post("/api/v1/clusters", {**BODY, "name": "twice"})
    assert (again.status_code, again.json()["code"]) == (409, "cluster_already_added")


def test_findings_are_told(api: Calls, erin: User) -> None:
    added = api(erin).post("/api/v1/clusters", BODY).json()
    found = {one["question"]: one["verdict"] for one in added["findings"]}
    assert found == {"version": "ok", "device_access": "not_tried", "network_policy": "not_tried"}


def test_credentials_of_one_identity_are_replaced(
    api: Calls, erin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/api/v1/clusters/{api(erin).post('/api/v1/clusters', BODY).json()['id']}"
    uid = Cluster.objects.get().uid
    monkeypatch.setattr(reviewing, "uid_of", lambda cluster, identity: uid)
    body = {"kubeconfig": KUBECONFIG % "{token: other-secret}", "identity": "access"}

    answer = api(erin).post(f"{address}/credentials", body)

    assert (answer.status_code, answer.json()["own_credentials"]) == (200, ["access"])
    assert "other-secret" not in answer.content.decode()
    monkeypatch.setattr(reviewing, "uid_of", lambda cluster, identity: uuid4())
    assert api(erin).post(f"{address}/credentials", body).json()["code"] == "another_cluster"


def test_only_operators_touch_clusters(
    api: Calls, erin: User, alice: User, bob: User, frank: User
) -> None:
    added = api(erin).post("/api/v1/clusters", BODY).json()
    address = f"/api/v1/clusters/{added['id']}"

    for looker in (bob, frank):
        assert api(looker).get(address).status_code == 200
        assert api(looker).post(f"{address}/pause").status_code == 403
        assert api(looker).post("/api/v1/clusters", BODY).status_code == 403
    assert api(alice).get(address).status_code == 404
    assert api(alice).post(f"{address}/pause").status_code == 404
    assert Cluster.objects.get().state == "active"
