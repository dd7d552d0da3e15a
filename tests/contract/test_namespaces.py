"""Namespaces: how they begin, and how they end only when they are empty."""

from collections.abc import Callable

import pytest

from tests.contract.api import Api
from tests.contract.spaces import Space, manifest, wait_for

Name = Callable[[], str]


def test_new_namespace_is_active_and_labelled(api: Api, name: Name) -> None:
    given = name()
    made = api.post("/api/v1/namespaces", {"metadata": {"name": given}}).ok(201)
    api.delete(f"/api/v1/namespaces/{given}")
    assert made["status"]["phase"] == "Active"
    assert made["spec"]["finalizers"] == ["kubernetes"]
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": given}


def test_new_namespace_gets_a_default_account(own_space: Space) -> None:
    account = own_space.api.get(own_space.path("serviceaccounts", "default")).ok()
    assert account["kind"] == "ServiceAccount"


def test_namespaces_there_are_from_the_start(api: Api) -> None:
    listed = {one["metadata"]["name"] for one in api.get("/api/v1/namespaces").ok()["items"]}
    assert listed >= {"default", "kube-system", "kube-public", "kube-node-lease"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [("with.dot", "must not contain dots"), ("With", "a lowercase RFC 1123 label must consist of")],
)
def test_namespace_name_is_a_label(api: Api, wrong: str, told: str) -> None:
    answer = api.post("/api/v1/namespaces", {"metadata": {"name": wrong}})
    assert told in answer.refused(422, "Invalid")["message"]


def test_security_label_names_a_level(own_space: Space) -> None:
    patch = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "nonsense"}}}
    status = own_space.api.patch(own_space.own_path, patch).refused(422, "Invalid")
    assert "must be one of privileged, baseline, restricted" in status["message"]


def test_wrong_uid_does_not_delete(own_space: Space) -> None:
    answer = own_space.api.delete(own_space.own_path, {"preconditions": {"uid": "other"}})
    answer.refused(409, "Conflict")
    assert own_space.api.get(own_space.own_path).ok()["status"]["phase"] == "Active"


def test_namespace_goes_with_its_content(own_space: Space) -> None:
    own_space.run("idle", idle=True)
    told = own_space.api.delete(own_space.own_path).ok()
    assert told["status"]["phase"] == "Terminating"
    assert told["metadata"]["deletionTimestamp"]
    wait_for(lambda: own_space.api.get(own_space.own_path).status == 404)
    assert own_space.api.get(own_space.pods()).ok()["items"] == []


def test_nothing_new_comes_into_a_namespace_that_goes(own_space: Space) -> None:
    own_space.run("held", idle=True, held=True)
    own_space.api.delete(own_space.own_path).ok()
    answer = own_space.api.post(own_space.pods(), manifest("late"))
    status = answer.refused(403, "Forbidden")
    assert status["details"]["name"] == "late"
    cause = status["details"]["causes"][0]
    assert cause["reason"] == "NamespaceTerminating"
    assert cause["field"] == "metadata.namespace"
    assert "because it is being terminated" in status["message"]
    # Deleting it again is no error: it is on its way.
    assert own_space.api.delete(own_space.own_path).ok()["status"]["phase"] == "Terminating"


def test_a_finalizer_inside_holds_the_namespace(own_space: Space) -> None:
    own_space.run("held", idle=True, held=True)
    own_space.api.delete(own_space.own_path).ok()
    wait_for(lambda: "deletionTimestamp" in own_space.pod("held")["metadata"])
    assert own_space.api.get(own_space.own_path).ok()["status"]["phase"] == "Terminating"
    own_space.release("held").ok()
    wait_for(lambda: own_space.api.get(own_space.own_path).status == 404)
