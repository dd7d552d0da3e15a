"""Server-side apply: who owns which field, and what becomes of fields nobody wants any more."""

from collections.abc import Callable, Iterator

import pytest

from tests.contract.api import Api, Json
from tests.contract.spaces import Space, manifest

Name = Callable[[], str]


class Shelf:
    """One config map that several managers apply."""

    def __init__(self, space: Space, name: str) -> None:
        self.space = space
        self.name = name
        self.path = space.path("configmaps", name)

    def wish(self, data: Json | None = None, **meta: object) -> Json:
        found: Json = {"apiVersion": "v1", "kind": "ConfigMap"}
        found["metadata"] = {"name": self.name, **meta}
        return {**found, "data": data} if data is not None else found

    def apply(self, manager: str, data: Json | None = None, **query: str) -> Json:
        return self.space.api.apply(self.path, self.wish(data), manager=manager, **query).ok()


@pytest.fixture
def shelf(space: Space, name: Name) -> Iterator[Shelf]:
    return Shelf(space, name())


def _owned(obj: Json) -> dict[str, Json]:
    return {one["manager"]: one["fieldsV1"] for one in obj["metadata"]["managedFields"]}


def test_apply_creates_with_201_and_then_updates_with_200(shelf: Shelf) -> None:
    api = shelf.space.api
    first = api.apply(shelf.path, shelf.wish({"a": "1"}), manager="alpha")
    second = api.apply(shelf.path, shelf.wish({"a": "2"}), manager="alpha")
    assert (first.status, second.status) == (201, 200)
    assert second.body["data"] == {"a": "2"}


def test_apply_of_the_same_keeps_the_version(shelf: Shelf) -> None:
    first = shelf.apply("alpha", {"a": "1"})
    assert shelf.apply("alpha", {"a": "1"}) == first


def test_managers_own_what_they_apply(shelf: Shelf) -> None:
    shelf.apply("alpha", {"a": "1"})
    now = shelf.apply("beta", {"b": "1"})
    assert now["data"] == {"a": "1", "b": "1"}
    assert _owned(now) == {"alpha": {"f:data": {"f:a": {}}}, "beta": {"f:data": {"f:b": {}}}}
    assert {one["operation"] for one in now["metadata"]["managedFields"]} == {"Apply"}


def test_another_value_for_anothers_field_is_a_conflict(shelf: Shelf) -> None:
    shelf.apply("alpha", {"a": "1"})
    answer = shelf.space.api.apply(shelf.path, shelf.wish({"a": "2"}), manager="beta")
    status = answer.refused(409, "Conflict")
    cause = {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "alpha"',
        "field": ".data.a",
    }
    assert status["details"]["causes"] == [cause]
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "alpha": .data.a'


def test_the_same_value_is_owned_together(shelf: Shelf) -> None:
    shelf.apply("alpha", {"a": "1"})
    assert set(_owned(shelf.apply("beta", {"a": "1"}))) == {"alpha", "beta"}
    # Neither takes away what the other still wants.
    assert shelf.apply("alpha", {"x": "1"})["data"] == {"a": "1", "x": "1"}


def test_force_takes_the_field_over(shelf: Shelf) -> None:
    shelf.apply("alpha", {"a": "1"})
    now = shelf.apply("beta", {"a": "2"}, force="true")
    assert now["data"] == {"a": "2"}
    assert set(_owned(now)) == {"beta"}


def test_what_is_applied_no_more_goes(shelf: Shelf) -> None:
    shelf.apply("alpha", {"a": "1", "b": "1"})
    assert shelf.apply("alpha", {"a": "1"})["data"] == {"a": "1"}


def test_a_patch_takes_ownership_too(shelf: Shelf) -> None:
    shelf.apply("alpha", {"a": "1"})
    shelf.space.api.patch(shelf.path, {"data": {"a": "2"}}, fieldManager="patcher").ok()
    answer = shelf.space.api.apply(shelf.path, shelf.wish({"a": "1"}), manager="alpha")
    status = answer.refused(409, "Conflict")
    assert status["details"]["causes"][0]["message"] == 'conflict with "patcher" using v1'


def test_apply_wants_a_manager(shelf: Shelf) -> None:
    answer = shelf.space.api.patch(shelf.path, shelf.wish({}), "application/apply-patch+yaml")
    status = answer.refused(422, "Invalid")
    assert "fieldManager: Required value" in status["message"]


def test_apply_wants_the_kind_of_its_path(shelf: Shelf) -> None:
    wish = {**shelf.wish({}), "kind": "Secret"}
    shelf.space.api.apply(shelf.path, wish).refused(400, "BadRequest")
    shelf.space.api.apply(shelf.path, {"metadata": {"name": shelf.name}}).refused(400, "BadRequest")


def test_apply_wants_the_name_of_its_path(shelf: Shelf) -> None:
    wish = shelf.wish({})
    wish["metadata"]["name"] = "other"
    shelf.space.api.apply(shelf.path, wish).refused(400, "BadRequest")


def test_apply_takes_no_list_of_owners(shelf: Shelf) -> None:
    wish = shelf.wish({}, managedFields=[])
    shelf.space.api.apply(shelf.path, wish).refused(400, "BadRequest")


def test_apply_to_an_old_version_is_a_conflict(shelf: Shelf) -> None:
    shelf.apply("alpha", {"a": "1"})
    wish = shelf.wish({"a": "2"}, resourceVersion="1")
    shelf.space.api.apply(shelf.path, wish, manager="alpha").refused(409, "Conflict")


def test_apply_to_a_uid_that_is_gone_does_not_create(shelf: Shelf) -> None:
    wish = shelf.wish({"a": "1"}, uid="gone")
    status = shelf.space.api.apply(shelf.path, wish).refused(409, "Conflict")
    assert "uid mismatch" in status["message"]
    assert shelf.space.api.get(shelf.path).status == 404


def test_force_belongs_to_apply_only(shelf: Shelf) -> None:
    shelf.apply("alpha", {"a": "1"})
    answer = shelf.space.api.patch(shelf.path, {"data": {"a": "2"}}, force="true")
    assert "may not be specified for non-apply patch" in answer.refused(422, "Invalid")["message"]


def test_dry_apply_stores_nothing(shelf: Shelf) -> None:
    answer = shelf.space.api.apply(shelf.path, shelf.wish({"a": "1"}), dryRun="All")
    assert answer.status == 201
    assert shelf.space.api.get(shelf.path).status == 404


def test_finalizers_are_a_set_of_many_owners(shelf: Shelf) -> None:
    api, path = shelf.space.api, shelf.path
    api.apply(path, shelf.wish(finalizers=["contract.example/one"]), manager="alpha").ok()
    now = api.apply(path, shelf.wish(finalizers=["contract.example/two"]), manager="beta").ok()
    assert now["metadata"]["finalizers"] == ["contract.example/one", "contract.example/two"]
    now = api.apply(path, shelf.wish(), manager="alpha").ok()
    assert now["metadata"]["finalizers"] == ["contract.example/two"]
    api.patch(path, {"metadata": {"finalizers": None}}).ok()


def test_containers_are_known_by_name(space: Space, name: Name) -> None:
    pod = manifest(name(), idle=True, container={"env": [{"name": "A", "value": "1"}]})
    now = space.api.apply(space.pods(pod["metadata"]["name"]), pod, manager="alpha").ok(201)
    fields = _owned(now)["alpha"]["f:spec"]["f:containers"]
    env = fields['k:{"name":"main"}']["f:env"]
    assert env == {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}}


APPLIED: dict[str, Json] = {
    "resourcequotas": {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "spec": {"hard": {"pods": "50"}},
    },
    "limitranges": {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "64"}}]},
    },
    "serviceaccounts": {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "automountServiceAccountToken": False,
    },
    "networkpolicies": {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    },
}


@pytest.mark.parametrize("plural", APPLIED)
def test_tenant_objects_can_be_applied_again_and_again(
    own_space: Space, name: Name, plural: str
) -> None:
    wish = {**APPLIED[plural], "metadata": {"name": name()}}
    group = wish["apiVersion"].rpartition("/")[0]
    path = own_space.path(plural, wish["metadata"]["name"], group=group)
    first = own_space.api.apply(path, wish, force="true").ok(201)
    second = own_space.api.apply(path, wish, force="true").ok(200)
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert second.get("spec") == first.get("spec")


def test_a_namespace_can_be_applied(api: Api, name: Name) -> None:
    path, wish = f"/api/v1/namespaces/{name()}", {"apiVersion": "v1", "kind": "Namespace"}
    meta = {"name": path.rpartition("/")[2], "labels": {"made-by": "contract"}}
    made = api.apply(path, {**wish, "metadata": meta}, force="true").ok(201)
    again = api.apply(path, {**wish, "metadata": {**meta, "labels": {"x": "y"}}}, force="true").ok(
        200
    )
    api.delete(path)
    assert made["metadata"]["labels"]["kubernetes.io/metadata.name"] == meta["name"]
    assert again["metadata"]["labels"] == {"kubernetes.io/metadata.name": meta["name"], "x": "y"}
