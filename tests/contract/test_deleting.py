"""Deleting: preconditions, what holds an object, collections."""

from collections.abc import Callable

import pytest

from tests.contract.api import Json
from tests.contract.spaces import Space, wait_for

Name = Callable[[], str]
STRANGER = "11111111-1111-1111-1111-111111111111"


def test_pod_without_a_node_disappears_at_once(space: Space, name: Name) -> None:
    pod = space.run(name(), idle=True)
    path = space.pods(pod["metadata"]["name"])
    told = space.api.delete(path).ok()
    assert told["metadata"]["uid"] == pod["metadata"]["uid"]
    assert told["metadata"]["deletionGracePeriodSeconds"] == 0
    space.api.get(path).refused(404, "NotFound")


def test_pod_without_a_node_is_held_by_its_finalizer(space: Space, name: Name) -> None:
    pod = space.run(name(), idle=True, held=True)
    path = space.pods(pod["metadata"]["name"])
    told = space.api.delete(path).ok()
    held = space.api.get(path).ok()
    assert told["metadata"]["deletionTimestamp"] == held["metadata"]["deletionTimestamp"]
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    assert held["metadata"]["generation"] == pod["metadata"]["generation"] + 1
    assert held["status"]["phase"] == "Pending"
    assert "containerStatuses" not in held["status"]
    # Asking again changes nothing, not even the version.
    again = space.api.delete(path).ok()
    assert again["metadata"]["resourceVersion"] == held["metadata"]["resourceVersion"]
    space.release(pod["metadata"]["name"]).ok()
    space.api.get(path).refused(404, "NotFound")


@pytest.mark.parametrize(
    ("precondition", "told"),
    [
        ({"uid": STRANGER}, f"the UID in the precondition ({STRANGER}) does not match"),
        ({"resourceVersion": "1"}, "the ResourceVersion in the precondition (1) does not match"),
    ],
    ids=["uid", "version"],
)
def test_unmet_precondition_is_a_conflict(
    space: Space, name: Name, precondition: Json, told: str
) -> None:
    pod = space.run(name(), idle=True)
    path = space.pods(pod["metadata"]["name"])
    answer = space.api.delete(path, {"preconditions": precondition})
    assert told in answer.refused(409, "Conflict")["message"]
    assert space.api.get(path).ok()["metadata"]["uid"] == pod["metadata"]["uid"]


def test_met_precondition_deletes(space: Space, name: Name) -> None:
    pod = space.run(name(), idle=True)
    path = space.pods(pod["metadata"]["name"])
    space.api.delete(path, {"preconditions": {"uid": pod["metadata"]["uid"]}}).ok()
    space.api.get(path).refused(404, "NotFound")


def test_dry_delete_deletes_nothing(space: Space, name: Name) -> None:
    path = space.pods(space.run(name(), idle=True)["metadata"]["name"])
    told = space.api.delete(path, dryRun="All").ok()
    assert told["metadata"]["deletionTimestamp"]
    assert "deletionTimestamp" not in space.api.get(path).ok()["metadata"]


def test_what_is_not_there_is_not_found(space: Space, name: Name) -> None:
    space.api.delete(space.pods(name())).refused(404, "NotFound")


def test_grace_that_is_no_number_is_a_bad_request(space: Space, name: Name) -> None:
    path = space.pods(space.run(name(), idle=True)["metadata"]["name"])
    space.api.delete(path, {"gracePeriodSeconds": "x"}).refused(400, "BadRequest")


def test_propagation_is_accepted(space: Space, name: Name) -> None:
    path = space.pods(space.run(name(), idle=True)["metadata"]["name"])
    space.api.delete(path, {"propagationPolicy": "Background"}).ok()
    space.api.get(path).refused(404, "NotFound")


def test_plain_objects_answer_with_a_status(space: Space, name: Name) -> None:
    made = space.api.post(space.path("configmaps"), {"metadata": {"name": name()}}).ok(201)
    told = space.api.delete(space.path("configmaps", made["metadata"]["name"])).ok()
    assert (told["kind"], told["status"]) == ("Status", "Success")
    details = {"name": made["metadata"]["name"], "kind": "configmaps"}
    assert told["details"] == {**details, "uid": made["metadata"]["uid"]}


def test_selected_pods_go_together(own_space: Space) -> None:
    for each, tier in (("one", "a"), ("two", "a"), ("three", "b")):
        own_space.run(each, idle=True, labels={"tier": tier})
    told = own_space.api.delete(own_space.pods(), labelSelector="tier=a").ok()
    assert told["kind"] == "PodList"
    assert {one["metadata"]["name"] for one in told["items"]} == {"one", "two"}
    wait_for(lambda: len(own_space.api.get(own_space.pods()).ok()["items"]) == 1)


def test_a_deleted_name_can_be_used_again(space: Space, name: Name) -> None:
    again = name()
    first = space.run(again, idle=True)
    space.api.delete(space.pods(again)).ok()
    second = space.run(again, idle=True)
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
