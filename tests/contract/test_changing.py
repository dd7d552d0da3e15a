"""Replacing and patching: versions, identities, the four patch kinds, the doors of status."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.api import JSON_PATCH, MERGE, STRATEGIC, Json
from tests.contract.spaces import Space, condition, wait_for

Name = Callable[[], str]
STRANGER = "11111111-1111-1111-1111-111111111111"


@pytest.fixture
def pod(space: Space, name: Name) -> Json:
    """An idle pod that has come to rest."""
    created = space.run(name(), idle=True)["metadata"]["name"]
    return space.await_pod(created, lambda one: bool(condition(one, "PodScheduled")))


def _path(space: Space, pod: Json, *more: str) -> str:
    return space.pods(pod["metadata"]["name"], *more)


def _labelled(pod: Json, **labels: str) -> Json:
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}}


# Replacing


def test_replacing_counts_the_version_up(space: Space, pod: Json) -> None:
    now = space.api.put(_path(space, pod), _labelled(pod, turn="1")).ok()
    assert now["metadata"]["labels"] == {"turn": "1"}
    assert int(now["metadata"]["resourceVersion"]) > int(pod["metadata"]["resourceVersion"])
    assert now["metadata"]["uid"] == pod["metadata"]["uid"]


def test_replacing_an_old_version_is_a_conflict(space: Space, pod: Json) -> None:
    space.api.put(_path(space, pod), _labelled(pod, turn="1")).ok()
    answer = space.api.put(_path(space, pod), _labelled(pod, turn="2"))
    status = answer.refused(409, "Conflict")
    assert "the object has been modified" in status["message"]
    assert status["details"] == {"name": pod["metadata"]["name"], "kind": "pods"}


def test_replacing_without_a_version_goes_through(space: Space, pod: Json) -> None:
    given = _labelled(pod, turn="1")
    del given["metadata"]["resourceVersion"]
    assert space.api.put(_path(space, pod), given).ok()["metadata"]["labels"] == {"turn": "1"}


def test_replacing_another_uid_is_a_conflict(space: Space, pod: Json) -> None:
    given = {**pod, "metadata": {**pod["metadata"], "uid": STRANGER}}
    del given["metadata"]["resourceVersion"]
    status = space.api.put(_path(space, pod), given).refused(409, "Conflict")
    assert f"UID in precondition: {STRANGER}" in status["message"]


def test_replacing_under_another_name_is_a_bad_request(space: Space, pod: Json) -> None:
    given = {**pod, "metadata": {**pod["metadata"], "name": "other"}}
    space.api.put(_path(space, pod), given).refused(400, "BadRequest")


def test_replacing_what_is_not_there_is_not_found(space: Space, pod: Json, name: Name) -> None:
    missing = name()
    given = {**pod, "metadata": {"name": missing}}
    space.api.put(space.pods(missing), given).refused(404, "NotFound")


def test_a_pods_spec_stands_still(space: Space, pod: Json) -> None:
    patch = {"spec": {"containers": [{"name": "main", "command": ["other"]}]}}
    status = space.api.patch(_path(space, pod), patch, STRATEGIC).refused(422, "Invalid")
    assert next(one["field"] for one in status["details"]["causes"]) == "spec"
    assert "pod updates may not change fields other than" in status["message"]


def test_an_image_may_change_and_counts_the_generation_up(space: Space, pod: Json) -> None:
    patch = {"spec": {"containers": [{"name": "main", "image": "registry.local/other:1"}]}}
    now = space.api.patch(_path(space, pod), patch, STRATEGIC).ok()
    assert now["spec"]["containers"][0]["image"] == "registry.local/other:1"
    assert now["metadata"]["generation"] == pod["metadata"]["generation"] + 1


def test_a_deadline_may_only_come_nearer(space: Space, pod: Json) -> None:
    space.api.patch(_path(space, pod), {"spec": {"activeDeadlineSeconds": 500}}).ok()
    space.api.patch(_path(space, pod), {"spec": {"activeDeadlineSeconds": 600}}).refused(
        422, "Invalid"
    )


# Patching


def test_merge_patch_sets_and_takes_away(space: Space, pod: Json) -> None:
    patch = {"metadata": {"labels": {"made-by": None, "turn": "1"}}}
    assert space.api.patch(_path(space, pod), patch, MERGE).ok()["metadata"]["labels"] == {
        "turn": "1"
    }


def test_patch_that_changes_nothing_keeps_the_version(space: Space, pod: Json) -> None:
    patch = {"metadata": {"labels": dict(pod["metadata"]["labels"])}}
    now = space.api.patch(_path(space, pod), patch).ok()
    assert now["metadata"]["resourceVersion"] == pod["metadata"]["resourceVersion"]


def test_patch_of_another_uid_is_invalid(space: Space, pod: Json) -> None:
    patch = {"metadata": {"uid": STRANGER, "finalizers": ["contract.example/x"]}}
    status = space.api.patch(_path(space, pod), patch).refused(422, "Invalid")
    assert status["details"]["causes"][0]["field"] == "metadata.uid"
    assert "finalizers" not in space.pod(pod["metadata"]["name"])["metadata"]


def test_patch_of_an_old_version_is_a_conflict(space: Space, pod: Json) -> None:
    patch = {"metadata": {"resourceVersion": "1", "labels": {"turn": "1"}}}
    status = space.api.patch(_path(space, pod), patch).refused(409, "Conflict")
    assert "the object has been modified" in status["message"]


def test_patch_of_the_right_uid_and_version_goes_through(space: Space, pod: Json) -> None:
    meta = {key: pod["metadata"][key] for key in ("uid", "resourceVersion")}
    patch = {"metadata": {**meta, "labels": {"turn": "1"}}}
    assert space.api.patch(_path(space, pod), patch).ok()["metadata"]["labels"]["turn"] == "1"


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({"metadata": {"name": "other"}}, 400),
        ({"metadata": {"namespace": "other"}}, 400),
        ({"metadata": {"labels": {"turn": "a b"}}}, 422),
        ({"metadata": {"deletionTimestamp": "2020-01-01T00:00:00Z"}}, 422),
        ([1], 400),
    ],
    ids=["name", "namespace", "label", "deletion", "list"],
)
def test_impossible_patch_is_refused(space: Space, pod: Json, patch: Any, code: int) -> None:
    reason = {400: "BadRequest", 422: "Invalid"}[code]
    space.api.patch(_path(space, pod), patch).refused(code, reason)


@pytest.mark.parametrize("field", ["creationTimestamp", "generation"])
def test_patch_of_what_the_server_writes_is_ignored(space: Space, pod: Json, field: str) -> None:
    value = {"creationTimestamp": "2020-01-01T00:00:00Z", "generation": 50}[field]
    now = space.api.patch(_path(space, pod), {"metadata": {field: value}}).ok()
    assert now["metadata"][field] == pod["metadata"][field]


def test_patch_of_what_is_not_there_is_not_found(space: Space, name: Name) -> None:
    patch: Json = {"metadata": {"labels": {"a": "b"}}}
    space.api.patch(space.pods(name()), patch).refused(404, "NotFound")


def test_unknown_kind_of_patch_is_unsupported(space: Space, pod: Json) -> None:
    answer = space.api.patch(_path(space, pod), {"metadata": {}}, "application/json")
    answer.refused(415, "UnsupportedMediaType")


def test_json_patch_works_on_places(space: Space, pod: Json) -> None:
    operations = [
        {"op": "test", "path": "/metadata/uid", "value": pod["metadata"]["uid"]},
        {"op": "add", "path": "/metadata/labels/slash~1ed", "value": "1"},
        {"op": "remove", "path": "/metadata/labels/made-by"},
    ]
    now = space.api.patch(_path(space, pod), operations, JSON_PATCH).ok()
    assert now["metadata"]["labels"] == {"slash/ed": "1"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/metadata/uid", "value": "other"},
        {"op": "remove", "path": "/metadata/nothing"},
        {"op": "frob", "path": "/metadata"},
    ],
    ids=["test", "place", "operation"],
)
def test_json_patch_that_does_not_fit_is_invalid(space: Space, pod: Json, operation: Json) -> None:
    answer = space.api.patch(_path(space, pod), [operation], JSON_PATCH)
    answer.refused(422, "Invalid")
    assert space.pod(pod["metadata"]["name"]) == pod


def test_strategic_patch_knows_items_by_their_key(space: Space, name: Name) -> None:
    account = {"metadata": {"name": name()}, "secrets": [{"name": "one"}, {"name": "two"}]}
    space.api.post(space.path("serviceaccounts"), account).ok(201)
    path = space.path("serviceaccounts", account["metadata"]["name"])  # type: ignore[index]
    patch = {"secrets": [{"name": "one", "$patch": "delete"}, {"name": "three"}]}
    now = space.api.patch(path, patch, STRATEGIC).ok()
    assert {one["name"] for one in now["secrets"]} == {"two", "three"}
    merged = space.api.patch(path, {"secrets": [{"name": "four"}]}, MERGE).ok()
    assert merged["secrets"] == [{"name": "four"}]


def test_strategic_patch_joins_sets_and_deletes_from_them(space: Space, name: Name) -> None:
    pod = space.run(name(), idle=True, held=True)
    mine = pod["metadata"]["finalizers"]
    path = _path(space, pod)
    added = {"metadata": {"finalizers": ["contract.example/second"]}}
    now = space.api.patch(path, added, STRATEGIC).ok()
    assert set(now["metadata"]["finalizers"]) == {*mine, "contract.example/second"}
    taken = {"metadata": {"$deleteFromPrimitiveList/finalizers": mine}}
    now = space.api.patch(path, taken, STRATEGIC).ok()
    assert now["metadata"]["finalizers"] == ["contract.example/second"]


def test_strategic_patch_takes_atomic_lists_whole(space: Space, pod: Json) -> None:
    toleration = {"key": "contract.example/x", "operator": "Exists"}
    patch = {"spec": {"tolerations": [toleration]}}
    now = space.api.patch(_path(space, pod), patch, STRATEGIC).ok()
    keys = [one["key"] for one in now["spec"]["tolerations"]]
    # The server's own two come back by default; those of before are not merged in.
    assert keys == [
        "contract.example/x",
        *(f"node.kubernetes.io/{a}" for a in ("not-ready", "unreachable")),
    ]


def test_tolerations_may_be_added_to(space: Space, pod: Json) -> None:
    added = [*pod["spec"]["tolerations"], {"key": "contract.example/x", "operator": "Exists"}]
    now = space.api.patch(_path(space, pod), {"spec": {"tolerations": added}}).ok()
    assert now["spec"]["tolerations"] == added


# Status


def test_status_does_not_change_through_the_main_door(space: Space, pod: Json) -> None:
    now = space.api.patch(_path(space, pod), {"status": {"phase": "Running"}}).ok()
    assert now["status"] == pod["status"]
    assert now["metadata"]["resourceVersion"] == pod["metadata"]["resourceVersion"]


def test_spec_does_not_change_through_the_status_door(space: Space, pod: Json) -> None:
    patch = {"spec": {"activeDeadlineSeconds": 5}, "status": {"message": "said"}}
    now = space.api.patch(_path(space, pod, "status"), patch).ok()
    assert now["status"]["message"] == "said"
    assert now["spec"] == pod["spec"]
    assert space.api.get(_path(space, pod, "status")).ok() == now


def test_status_conditions_merge_by_type(space: Space, pod: Json) -> None:
    mine = {"type": "contract.example/Seen", "status": "True"}
    path = _path(space, pod, "status")
    now = space.api.patch(path, {"status": {"conditions": [mine]}}, STRATEGIC).ok()
    types = {one["type"] for one in now["status"]["conditions"]}
    assert types == {"PodScheduled", "contract.example/Seen"}


# Dry runs and finalizers


def test_dry_patch_changes_nothing(space: Space, pod: Json) -> None:
    patch = {"metadata": {"labels": {"turn": "dry"}}}
    told = space.api.patch(_path(space, pod), patch, dryRun="All").ok()
    assert told["metadata"]["labels"]["turn"] == "dry"
    assert space.pod(pod["metadata"]["name"]) == pod


def test_no_finalizer_is_added_to_what_is_being_deleted(space: Space, name: Name) -> None:
    pod = space.run(name(), idle=True, held=True)
    space.api.delete(_path(space, pod)).ok()
    more = {"metadata": {"finalizers": [*pod["metadata"]["finalizers"], "contract.example/late"]}}
    status = space.api.patch(_path(space, pod), more).refused(422, "Invalid")
    assert "no new finalizers can be added if the object is being deleted" in status["message"]


def test_labels_may_change_while_something_is_deleted(space: Space, name: Name) -> None:
    pod = space.run(name(), idle=True, held=True)
    space.api.delete(_path(space, pod)).ok()
    patch = {"metadata": {"labels": {"turn": "late"}}}
    assert space.api.patch(_path(space, pod), patch).ok()["metadata"]["labels"]["turn"] == "late"


def test_the_last_finalizer_takes_the_object_with_it(space: Space, name: Name) -> None:
    pod = space.run(name(), idle=True, held=True)
    space.api.delete(_path(space, pod)).ok()
    told = space.release(pod["metadata"]["name"]).ok()
    assert told["metadata"]["uid"] == pod["metadata"]["uid"]
    assert "finalizers" not in told["metadata"]
    wait_for(lambda: space.api.get(_path(space, pod)).status == 404)
