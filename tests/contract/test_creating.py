"""Creating objects: what the server adds, and every way it says no."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.api import Api, Json
from tests.contract.spaces import Space, manifest

Name = Callable[[], str]


def test_created_pod_gets_identity_and_defaults(space: Space, name: Name) -> None:
    given = manifest(name(), idle=True)
    for field in ("restartPolicy", "terminationGracePeriodSeconds"):
        del given["spec"][field]
    pod = space.api.post(space.pods(), given).ok(201)
    assert (pod["kind"], pod["apiVersion"]) == ("Pod", "v1")
    meta, spec = pod["metadata"], pod["spec"]
    assert len(meta["uid"]) == 36
    assert int(meta["resourceVersion"]) > 0
    assert meta["namespace"] == space.name
    assert meta["generation"] == 1
    age = datetime.now(UTC) - datetime.fromisoformat(meta["creationTimestamp"])
    assert abs(age.total_seconds()) < 60
    assert spec["restartPolicy"] == "Always"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["schedulerName"] == "default-scheduler"
    assert spec["serviceAccountName"] == "default"
    assert spec["enableServiceLinks"] is True
    assert spec["securityContext"] == {}
    assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert spec["containers"][0]["terminationMessagePolicy"] == "File"
    assert pod["status"]["phase"] == "Pending"
    assert pod["status"]["qosClass"] == "BestEffort"


def test_pod_waits_five_minutes_for_a_lost_node(space: Space, name: Name) -> None:
    tolerations = space.run(name(), idle=True)["spec"]["tolerations"]
    told = {(one["key"], one["effect"], one["tolerationSeconds"]) for one in tolerations}
    assert told == {
        ("node.kubernetes.io/not-ready", "NoExecute", 300),
        ("node.kubernetes.io/unreachable", "NoExecute", 300),
    }


def test_limits_become_requests(space: Space, name: Name) -> None:
    limits = {"cpu": "1000m", "memory": "1024Mi", "example.com/npu": "2"}
    pod = space.run(name(), idle=True, container={"resources": {"limits": limits}})
    stored = {"cpu": "1", "memory": "1Gi", "example.com/npu": "2"}
    assert pod["spec"]["containers"][0]["resources"] == {"limits": stored, "requests": stored}
    assert pod["status"]["qosClass"] == "Guaranteed"


def test_token_is_mounted_unless_the_pod_declines(space: Space, name: Name) -> None:
    pod = space.run(name(), idle=True, automountServiceAccountToken=True)
    mounts = pod["spec"]["containers"][0]["volumeMounts"]
    assert [one["mountPath"] for one in mounts] == ["/var/run/secrets/kubernetes.io/serviceaccount"]
    assert pod["spec"]["volumes"][0]["projected"]["sources"]
    assert "volumes" not in space.run(name(), idle=True)["spec"]


def test_what_only_the_server_writes_is_ignored(space: Space, name: Name) -> None:
    given = manifest(name(), idle=True)
    given["metadata"] |= {
        "uid": "mine",
        "generation": 7,
        "creationTimestamp": "2020-01-01T00:00:00Z",
        "deletionTimestamp": "2020-01-01T00:00:00Z",
    }
    given["status"] = {"phase": "Running"}
    pod = space.api.post(space.pods(), given).ok(201)
    assert pod["metadata"]["uid"] != "mine"
    assert pod["metadata"]["generation"] == 1
    assert not pod["metadata"]["creationTimestamp"].startswith("2020")
    assert "deletionTimestamp" not in pod["metadata"]
    assert pod["status"]["phase"] == "Pending"


def test_generate_name_makes_one(space: Space) -> None:
    given = manifest("", idle=True)
    given["metadata"] = {"generateName": "drawn-"}
    first, second = (space.api.post(space.pods(), given).ok(201) for _ in range(2))
    names = {one["metadata"]["name"] for one in (first, second)}
    assert len(names) == 2
    assert all(len(one) == len("drawn-") + 5 and one.startswith("drawn-") for one in names)


def test_taken_name_already_exists(space: Space, name: Name) -> None:
    taken = name()
    space.run(taken, idle=True)
    status = space.api.post(space.pods(), manifest(taken)).refused(409, "AlreadyExists")
    assert status["details"] == {"name": taken, "kind": "pods"}
    assert status["message"] == f'pods "{taken}" already exists'


def test_missing_namespace_is_not_found(api: Api, name: Name) -> None:
    missing = name()
    status = api.post(f"/api/v1/namespaces/{missing}/pods", manifest("p")).refused(404, "NotFound")
    assert status["details"] == {"name": missing, "kind": "namespaces"}


def test_unknown_service_account_is_forbidden(space: Space, name: Name) -> None:
    given = manifest(name(), serviceAccountName="ghost")
    status = space.api.post(space.pods(), given).refused(403, "Forbidden")
    assert 'serviceaccount "ghost" not found' in status["message"]


def test_dry_run_answers_and_stores_nothing(space: Space, name: Name) -> None:
    dry = name()
    told = space.api.post(space.pods(), manifest(dry), dryRun="All").ok(201)
    assert told["metadata"]["uid"]
    assert "resourceVersion" not in told["metadata"]
    space.api.get(space.pods(dry)).refused(404, "NotFound")


def test_dry_run_takes_one_word_only(space: Space, name: Name) -> None:
    space.api.post(space.pods(), manifest(name()), dryRun="Maybe").refused(422, "Invalid")


def _with(**container: Any) -> Json:
    return manifest("wrong", container=container)


def _amounts(part: str, **amounts: str) -> Json:
    given = {key.replace("npu", "example.com/npu"): value for key, value in amounts.items()}
    return _with(resources={part: given})


INVALID: dict[str, tuple[Json, list[tuple[str, str]]]] = {
    "nothing at all": (
        {"metadata": {}, "spec": {}},
        [("FieldValueRequired", "metadata.name"), ("FieldValueRequired", "spec.containers")],
    ),
    "a name with capitals": (manifest("Wrong_Name"), [("FieldValueInvalid", "metadata.name")]),
    "a name too long": (manifest("a" * 254), [("FieldValueInvalid", "metadata.name")]),
    "no containers": (
        manifest("wrong", containers=[]),
        [("FieldValueRequired", "spec.containers")],
    ),
    "no image": (
        manifest("wrong", image=""),
        [("FieldValueRequired", "spec.containers[0].image")],
    ),
    "an image with blanks": (
        manifest("wrong", image=" x "),
        [("FieldValueInvalid", "spec.containers[0].image")],
    ),
    "a container twice": (
        manifest("wrong", containers=[{"name": "a", "image": "i"}] * 2),
        [("FieldValueDuplicate", "spec.containers[1].name")],
    ),
    "an odd restart policy": (
        manifest("wrong", restartPolicy="Maybe"),
        [("FieldValueNotSupported", "spec.restartPolicy")],
    ),
    "a variable without a name": (
        _with(env=[{"value": "1"}]),
        [("FieldValueRequired", "spec.containers[0].env[0].name")],
    ),
    "a mount of nothing": (
        _with(volumeMounts=[{"name": "v", "mountPath": "/x"}]),
        [("FieldValueNotFound", "spec.containers[0].volumeMounts[0].name")],
    ),
    "a port of nothing": (
        _with(ports=[{"containerPort": 0}]),
        [("FieldValueRequired", "spec.containers[0].ports[0].containerPort")],
    ),
    "no time at all": (
        manifest("wrong", activeDeadlineSeconds=0),
        [("FieldValueInvalid", "spec.activeDeadlineSeconds")],
    ),
    "a finalizer without a domain": (
        {**manifest("wrong"), "metadata": {"name": "wrong", "finalizers": ["foo"]}},
        [("FieldValueInvalid", "metadata.finalizers[0]")],
    ),
    "devices asked and not limited": (
        _amounts("requests", npu="1"),
        [("FieldValueRequired", "spec.containers[0].resources.limits")],
    ),
    "devices asked unlike limited": (
        _with(resources={"requests": {"example.com/npu": "1"}, "limits": {"example.com/npu": "2"}}),
        [("FieldValueInvalid", "spec.containers[0].resources.requests")],
    ),
    "half a device": (
        _amounts("limits", npu="1.5"),
        [
            ("FieldValueInvalid", "spec.containers[0].resources.limits[example.com/npu]"),
            ("FieldValueInvalid", "spec.containers[0].resources.requests[example.com/npu]"),
        ],
    ),
    "fewer than no devices": (
        _amounts("limits", npu="-1"),
        [
            ("FieldValueInvalid", "spec.containers[0].resources.limits[example.com/npu]"),
            ("FieldValueInvalid", "spec.containers[0].resources.requests[example.com/npu]"),
        ],
    ),
    "more asked than limited": (
        _with(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
        [("FieldValueInvalid", "spec.containers[0].resources.requests")],
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_pod_is_refused_field_by_field(space: Space, case: str) -> None:
    given, expected = INVALID[case]
    status = space.api.post(space.pods(), given).refused(422, "Invalid")
    causes = [(one["reason"], one["field"]) for one in status["details"]["causes"]]
    assert causes == expected
    assert status["details"]["kind"] == "Pod"
    named = given["metadata"].get("name", "")
    assert status["message"].startswith(f'Pod "{named}" is invalid: ')
    first = status["details"]["causes"][0]
    assert f"{first['field']}: {first['message']}" in status["message"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (manifest("w", restartPolicy=5), 'Pod in version "v1" cannot be handled as a Pod: '),
        (_amounts("limits", cpu="abc"), "quantities must match the regular expression"),
        ({**manifest("w"), "kind": "Node"}, 'Node in version "v1" cannot be handled as a Pod: '),
        ({**manifest("w"), "apiVersion": "v9"}, 'Pod in version "v9" cannot be handled as a Pod'),
        ([1], "the object provided is unrecognized (must be of type Pod)"),
        (
            {**manifest("w"), "metadata": {"name": "w", "namespace": "elsewhere"}},
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ],
    ids=["type", "quantity", "kind", "version", "list", "namespace"],
)
def test_unreadable_body_is_a_bad_request(space: Space, given: Any, told: str) -> None:
    assert told in space.api.post(space.pods(), given).refused(400, "BadRequest")["message"]


def test_unknown_field_is_dropped_or_refused_when_asked(space: Space, name: Name) -> None:
    given = manifest(name(), idle=True, frob=1)
    status = space.api.post(space.pods(), given, fieldValidation="Strict").refused(
        400, "BadRequest"
    )
    assert 'unknown field "spec.frob"' in status["message"]
    assert "frob" not in space.api.post(space.pods(), given).ok(201)["spec"]


def test_version_may_not_be_given_at_creation(space: Space, name: Name) -> None:
    given = manifest(name())
    given["metadata"]["resourceVersion"] = "5"
    space.api.post(space.pods(), given).refused(500)


def test_secret_text_is_encoded(space: Space, name: Name) -> None:
    given = {"metadata": {"name": name()}, "stringData": {"key": "value"}}
    secret = space.api.post(space.path("secrets"), given).ok(201)
    assert (secret["type"], secret["data"]) == ("Opaque", {"key": "dmFsdWU="})
    assert "stringData" not in secret


def test_service_gets_an_address(space: Space, name: Name) -> None:
    given = {
        "metadata": {"name": name()},
        "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]},
    }
    spec = space.api.post(space.path("services"), given).ok(201)["spec"]
    assert spec["type"] == "ClusterIP"
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["ports"] == [{"protocol": "TCP", "port": 80, "targetPort": 80}]


def test_service_without_ports_is_invalid(space: Space, name: Name) -> None:
    given = {"metadata": {"name": name()}, "spec": {"ports": []}}
    space.api.post(space.path("services"), given).refused(422, "Invalid")


def test_network_policy_types_follow_its_rules(space: Space, name: Name) -> None:
    rule = {"ports": [{"port": 53, "protocol": "UDP"}]}
    given = {"metadata": {"name": name()}, "spec": {"podSelector": {}, "egress": [rule]}}
    path = space.path("networkpolicies", group="networking.k8s.io")
    policy = space.api.post(path, given).ok(201)
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["metadata"]["generation"] == 1


def test_event_belongs_where_its_object_is(space: Space, name: Name) -> None:
    event = {"metadata": {"name": name()}, "reason": "R", "message": "m", "type": "Normal"}
    space.api.post(space.path("events"), event).refused(422, "Invalid")
    event["involvedObject"] = {"kind": "Pod", "name": "p", "namespace": space.name}
    assert space.api.post(space.path("events"), event).ok(201)["reason"] == "R"


def test_lease_time_has_micros(space: Space, name: Name) -> None:
    path = space.path("leases", group="coordination.k8s.io")
    lease: Json = {"metadata": {"name": name()}, "spec": {"renewTime": "2026-01-01T00:00:00Z"}}
    space.api.post(path, lease).refused(400, "BadRequest")
    lease["spec"]["renewTime"] = "2026-01-01T00:00:00.000000Z"
    assert space.api.post(path, lease).ok(201)["spec"] == lease["spec"]
