"""Quotas, limits and pod security: what a namespace lets in, and the words it refuses with."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.api import Api, Json
from tests.contract.spaces import Space, manifest, wait_for

Name = Callable[[], str]
NPU = "example.com/npu"
ASKED = f"requests.{NPU}"


def _quota(space: Space, **hard: str) -> None:
    """A quota that counts."""
    given = {key.replace("npu", ASKED).replace("_", "."): value for key, value in hard.items()}
    wish = {"metadata": {"name": "quota"}, "spec": {"hard": given}}
    assert space.api.post(space.path("resourcequotas"), wish).ok(201)["status"] == {}
    wait_for(lambda: _status(space).get("hard") == given)


def _status(space: Space) -> Json:
    found: Json = space.api.get(space.path("resourcequotas", "quota")).ok()["status"]
    return found


def _try(space: Space, name: str, **wish: Any) -> Any:
    return space.api.post(space.pods(), manifest(name, idle=True, **wish))


def test_quota_counts_up_with_each_pod(own_space: Space) -> None:
    _quota(own_space, npu="3", pods="5")
    assert _status(own_space)["used"] == {ASKED: "0", "pods": "0"}
    _try(own_space, "one", resource=NPU, count=2).ok(201)
    assert _status(own_space)["used"] == {ASKED: "2", "pods": "1"}


def test_pod_beyond_the_quota_is_forbidden(own_space: Space) -> None:
    _quota(own_space, npu="3", pods="5")
    _try(own_space, "one", resource=NPU, count=2).ok(201)
    status = _try(own_space, "two", resource=NPU, count=2).refused(403, "Forbidden")
    assert status["message"] == (
        'pods "two" is forbidden: exceeded quota: quota,'
        f" requested: {ASKED}=2, used: {ASKED}=2, limited: {ASKED}=3"
    )
    assert status["details"] == {"name": "two", "kind": "pods"}
    assert own_space.api.get(own_space.pods("two")).status == 404
    assert _status(own_space)["used"] == {ASKED: "2", "pods": "1"}


def test_every_exceeded_amount_is_named(own_space: Space) -> None:
    _quota(own_space, npu="1", requests_cpu="1", limits_cpu="2")
    limits = {"cpu": "3", NPU: "2"}
    answer = _try(own_space, "big", container={"resources": {"limits": limits}})
    message = answer.refused(403, "Forbidden")["message"]
    assert f"requested: limits.cpu=3,requests.cpu=3,{ASKED}=2," in message
    assert f"used: limits.cpu=0,requests.cpu=0,{ASKED}=0," in message
    assert f"limited: limits.cpu=2,requests.cpu=1,{ASKED}=1" in message


def test_quota_on_cpu_wants_to_be_told(own_space: Space) -> None:
    _quota(own_space, requests_cpu="1", requests_memory="1Gi", limits_cpu="2")
    message = _try(own_space, "silent").refused(403, "Forbidden")["message"]
    assert message == (
        'pods "silent" is forbidden: failed quota: quota: must specify'
        " limits.cpu for: main; requests.cpu for: main; requests.memory for: main"
    )


def test_a_pod_that_goes_gives_back(own_space: Space) -> None:
    _quota(own_space, npu="2", pods="5")
    _try(own_space, "one", resource=NPU, count=2).ok(201)
    own_space.api.delete(own_space.pods("one")).ok()
    wait_for(lambda: _status(own_space)["used"] == {ASKED: "0", "pods": "0"})
    _try(own_space, "two", resource=NPU, count=2).ok(201)


def test_a_pod_deleted_before_it_had_a_node_gives_back_while_it_is_held(own_space: Space) -> None:
    _quota(own_space, npu="2")
    _try(own_space, "one", resource=NPU, count=2, held=True).ok(201)
    own_space.api.delete(own_space.pods("one")).ok()
    wait_for(lambda: _status(own_space)["used"] == {ASKED: "0"})
    assert own_space.api.get(own_space.pods("one")).status == 200


def test_a_dry_run_counts_for_nothing(own_space: Space) -> None:
    _quota(own_space, npu="2")
    given = manifest("dry", resource=NPU, count=2)
    own_space.api.post(own_space.pods(), given, dryRun="All").ok(201)
    assert _status(own_space)["used"] == {ASKED: "0"}
    given = manifest("dry", resource=NPU, count=3)
    own_space.api.post(own_space.pods(), given, dryRun="All").refused(403, "Forbidden")


def test_a_larger_quota_lets_more_in(own_space: Space) -> None:
    _quota(own_space, npu="1")
    _try(own_space, "one", resource=NPU, count=2).refused(403, "Forbidden")
    patch = {"spec": {"hard": {ASKED: "2"}}}
    own_space.api.patch(own_space.path("resourcequotas", "quota"), patch).ok()
    wait_for(lambda: _status(own_space)["hard"] == {ASKED: "2"})
    _try(own_space, "one", resource=NPU, count=2).ok(201)


def test_objects_can_be_counted_by_name(own_space: Space) -> None:
    given = {"metadata": {"name": "quota"}, "spec": {"hard": {"count/secrets": "1"}}}
    own_space.api.post(own_space.path("resourcequotas"), given).ok(201)
    wait_for(lambda: "hard" in _status(own_space))
    own_space.api.post(own_space.path("secrets"), {"metadata": {"name": "one"}}).ok(201)
    answer = own_space.api.post(own_space.path("secrets"), {"metadata": {"name": "two"}})
    assert "requested: count/secrets=1" in answer.refused(403, "Forbidden")["message"]


def test_quota_on_nothing_known_is_invalid(own_space: Space) -> None:
    given = {"metadata": {"name": "quota"}, "spec": {"hard": {"frob": "1"}}}
    own_space.api.post(own_space.path("resourcequotas"), given).refused(422, "Invalid")


# Limits


def _limits(space: Space, **item: Any) -> Json:
    wish = {"metadata": {"name": "limits"}, "spec": {"limits": [{"type": "Container", **item}]}}
    return space.api.post(space.path("limitranges"), wish).ok(201)


def _await_limits(space: Space) -> None:
    """Until new pods are held to the limits: the real server looks at them through a cache."""

    def is_held() -> bool:
        given = manifest("probe", idle=True)
        made = space.api.post(space.pods(), given, dryRun="All").ok(201)
        return "limits" in made["spec"]["containers"][0]["resources"]

    wait_for(is_held)


def test_limits_have_defaults_of_their_own(own_space: Space) -> None:
    made = _limits(own_space, max={"cpu": "2", "memory": "1Gi"}, default={"cpu": "1"})
    item = made["spec"]["limits"][0]
    assert item["default"] == {"cpu": "1", "memory": "1Gi"}
    assert item["defaultRequest"] == {"cpu": "1", "memory": "1Gi"}


def test_limits_fill_in_what_a_pod_leaves_out(own_space: Space) -> None:
    _limits(own_space, default={"cpu": "500m"}, defaultRequest={"cpu": "100m"})
    _await_limits(own_space)
    pod = _try(own_space, "one").ok(201)
    amounts = pod["spec"]["containers"][0]["resources"]
    assert amounts == {"limits": {"cpu": "500m"}, "requests": {"cpu": "100m"}}
    assert pod["status"]["qosClass"] == "Burstable"
    assert (
        "cpu limit for container main"
        in pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
    )


def test_pod_beyond_the_limits_is_forbidden(own_space: Space) -> None:
    _limits(own_space, max={"cpu": "1", "memory": "1Gi"})
    _await_limits(own_space)
    big = {"resources": {"limits": {"cpu": "2", "memory": "2Gi"}}}
    message = _try(own_space, "big", container=big).refused(403, "Forbidden")["message"]
    # The real server takes them in no particular order.
    complaints = {
        "maximum cpu usage per Container is 1, but limit is 2",
        "maximum memory usage per Container is 1Gi, but limit is 2Gi",
    }
    assert message.startswith('pods "big" is forbidden: [')
    assert all(one in message for one in complaints)


# Pod security


@pytest.fixture(scope="module")
def guarded(api: Api) -> Any:
    """A namespace that takes restricted pods only."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    labels["pod-security.kubernetes.io/warn"] = "restricted"
    space = Space.create(api, f"contract-guarded-{uuid4().hex[:8]}", labels)
    yield space
    space.clear()


SAFE_POD = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
SAFE_CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _secured(
    name: str, *, pod: Json | None = None, container: Json | None = None, **spec: Any
) -> Json:
    return manifest(
        name,
        idle=True,
        securityContext={**SAFE_POD, **(pod or {})},
        container={"securityContext": {**SAFE_CONTAINER, **(container or {})}},
        **spec,
    )


def test_restricted_pod_passes(guarded: Space, name: Name) -> None:
    answer = guarded.api.post(guarded.pods(), _secured(name()))
    answer.ok(201)
    assert "warning" not in answer.headers


def test_careless_pod_is_told_everything_it_lacks(guarded: Space) -> None:
    answer = guarded.api.post(guarded.pods(), manifest("careless"))
    message = answer.refused(403, "Forbidden")["message"]
    assert message == (
        'pods "careless" is forbidden: violates PodSecurity "restricted:latest":'
        ' allowPrivilegeEscalation != false (container "main" must set'
        " securityContext.allowPrivilegeEscalation=false),"
        ' unrestricted capabilities (container "main" must set'
        ' securityContext.capabilities.drop=["ALL"]),'
        ' runAsNonRoot != true (pod or container "main" must set'
        " securityContext.runAsNonRoot=true),"
        ' seccompProfile (pod or container "main" must set securityContext.seccompProfile.type to'
        ' "RuntimeDefault" or "Localhost")'
    )


FORBIDDEN: dict[str, tuple[Json, str]] = {
    "root by flag": (
        _secured("p", pod={"runAsNonRoot": False}),
        "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
    ),
    "root by number": (
        _secured("p", pod={"runAsUser": 0}),
        "runAsUser=0 (pod must not set runAsUser=0)",
    ),
    "no filter": (
        _secured("p", container={"seccompProfile": {"type": "Unconfined"}}),
        'seccompProfile (container "main" must not set securityContext.seccompProfile.type to'
        ' "Unconfined")',
    ),
    "the node's network": (
        _secured("p", hostNetwork=True),
        "host namespaces (hostNetwork=true)",
    ),
    "the node's folders": (
        _secured("p", volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
        'restricted volume types (volume "h" uses restricted volume type "hostPath")',
    ),
    "a capability": (
        _secured("p", container={"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}),
        'unrestricted capabilities (container "main" must not include "SYS_ADMIN" in'
        " securityContext.capabilities.add)",
    ),
    "privileges to gain": (
        _secured("p", container={"allowPrivilegeEscalation": True}),
        'allowPrivilegeEscalation != false (container "main" must set'
        " securityContext.allowPrivilegeEscalation=false)",
    ),
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_unsafe_pod_is_told_what_it_may_not(guarded: Space, case: str) -> None:
    given, complaint = FORBIDDEN[case]
    message = guarded.api.post(guarded.pods(), given).refused(403, "Forbidden")["message"]
    assert (
        message == f'pods "p" is forbidden: violates PodSecurity "restricted:latest": {complaint}'
    )


def test_warning_label_warns_and_lets_pass(own_space: Space) -> None:
    patch = {"metadata": {"labels": {"pod-security.kubernetes.io/warn": "restricted"}}}
    own_space.api.patch(own_space.own_path, patch).ok()

    def warned() -> bool:
        answer = own_space.api.post(own_space.pods(), manifest("careless"), dryRun="All")
        answer.ok(201)
        return "would violate PodSecurity" in answer.headers.get("warning", "")

    wait_for(warned)
