"""What a client asks before anything else: version, health, which resources there are, who may."""

import pytest

from tests.contract.api import Api

SERVED = {
    ("", "namespaces"), ("", "nodes"), ("", "pods"), ("", "pods/log"), ("", "pods/status"),
    ("", "pods/eviction"), ("", "events"), ("", "resourcequotas"), ("", "limitranges"),
    ("", "serviceaccounts"), ("", "secrets"), ("", "configmaps"), ("", "services"),
    ("networking.k8s.io", "networkpolicies"), ("coordination.k8s.io", "leases"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
}  # fmt: skip


@pytest.mark.parametrize("path", ["/version", "/version/"])
def test_version_is_told_with_and_without_a_slash(api: Api, path: str) -> None:
    told = api.get(path).ok()
    major, minor = int(told["major"]), int(told["minor"].rstrip("+"))
    assert (major, minor) >= (1, 34)
    assert told["gitVersion"].startswith(f"v{major}.{minor}.")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez"])
def test_health_is_a_plain_ok(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.text) == (200, "ok")


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_core_group_is_announced(api: Api, path: str) -> None:
    assert "v1" in api.get(path).ok()["versions"]


def test_named_groups_are_announced(api: Api) -> None:
    groups = {one["name"]: one for one in api.get("/apis").ok()["groups"]}
    for group in ("networking.k8s.io", "coordination.k8s.io", "authorization.k8s.io"):
        assert groups[group]["preferredVersion"]["groupVersion"] == f"{group}/v1"


@pytest.mark.parametrize(("group", "resource"), sorted(SERVED))
def test_resource_is_announced(api: Api, group: str, resource: str) -> None:
    path = f"/apis/{group}/v1" if group else "/api/v1"
    announced = {one["name"]: one for one in api.get(path).ok()["resources"]}
    assert announced[resource]["verbs"]


def test_pods_can_do_all_verbs(api: Api) -> None:
    pods = next(one for one in api.get("/api/v1").ok()["resources"] if one["name"] == "pods")
    assert pods["namespaced"]
    assert pods["kind"] == "Pod"
    assert set(pods["verbs"]) >= {
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
    }  # fmt: skip


def test_unknown_resource_of_a_known_group_is_not_found(api: Api) -> None:
    status = api.get("/api/v1/frobs").refused(404, "NotFound")
    assert status["message"] == "the server could not find the requested resource"


def test_unknown_group_has_no_page(api: Api) -> None:
    answer = api.get("/apis/frob.example/v1/frobs")
    assert (answer.status, answer.text) == (404, "404 page not found\n")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/v1/namespaces/default/pods"),
        ("POST", "/api/v1/namespaces/default/pods/some"),
        ("DELETE", "/api/v1/namespaces"),
    ],
)
def test_verb_that_does_not_fit_the_path_is_refused(api: Api, method: str, path: str) -> None:
    api.ask(method, path, {}).refused(405, "MethodNotAllowed")


def test_wrong_token_is_unauthorized(api: Api) -> None:
    status = api.ask("GET", "/api/v1/namespaces/default/pods", token="Bearer wrong").refused(
        401, "Unauthorized"
    )
    assert status["message"] == "Unauthorized"


def test_access_review_answers_for_the_caller(api: Api) -> None:
    attributes = {"verb": "create", "resource": "pods", "namespace": "default"}
    review = {"spec": {"resourceAttributes": attributes}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    told = api.post(path, review).ok(201)
    assert told["kind"] == "SelfSubjectAccessReview"
    assert told["status"]["allowed"] is True


def test_access_review_of_nothing_is_invalid(api: Api) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    api.post(path, {"spec": {}}).refused(422, "Invalid")
