"""A pod's way to running: a node, its devices, its start, its log; and why it may not get there."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.api import Json
from tests.contract.reached import WEB
from tests.contract.spaces import Space, condition, state, wait_for

Name = Callable[[], str]


def _whole(text: str) -> datetime:
    """An instant in whole seconds and no other form."""
    assert len(text) == len("2026-01-01T00:00:00Z")
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def running(space: Space, resource: str) -> Iterator[Json]:
    """A pod that runs with two devices."""
    container = {"env": [{"name": "GREETING", "value": "hello"}]}
    space.run("running", resource=resource, count=2, container=container)
    return space.await_phase("running", "Running")


def test_running_pod_has_node_addresses_and_start(running: Json, node: Json) -> None:
    status = running["status"]
    assert running["spec"]["nodeName"] == node["metadata"]["name"]
    addresses = {one["type"]: one["address"] for one in node["status"]["addresses"]}
    assert status["hostIP"] == addresses["InternalIP"]
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert _whole(status["startTime"])


def test_running_pod_is_ready_in_every_respect(running: Json) -> None:
    for type_ in (
        "PodScheduled",
        "PodReadyToStartContainers",
        "Initialized",
        "ContainersReady",
        "Ready",
    ):
        assert condition(running, type_)["status"] == "True", type_


def test_container_has_an_id_and_a_start_in_whole_seconds(running: Json) -> None:
    container = running["status"]["containerStatuses"][0]
    scheme, _, number = container["containerID"].partition("://")
    assert scheme
    assert len(number) == 64
    assert set(number) <= set("0123456789abcdef")
    assert container["ready"] is True
    assert container["started"] is True
    assert container["restartCount"] == 0
    assert container["imageID"]
    started = _whole(state(running)["running"]["startedAt"])
    created = _whole(running["metadata"]["creationTimestamp"])
    assert timedelta(0) <= started - created < timedelta(seconds=60)


def _devices(pod: Json, resource: str) -> list[Json]:
    told = pod["status"]["containerStatuses"][0].get("allocatedResourcesStatus")
    if told is None:
        pytest.skip("allocatedResourcesStatus: the kubelet does not tell devices (before 1.36)")
    assert [one["name"] for one in told] == [resource]
    found: list[Json] = told[0]["resources"]
    return found


def test_status_names_the_devices_a_container_holds(running: Json, resource: str) -> None:
    devices = _devices(running, resource)
    assert len({one["resourceID"] for one in devices}) == 2
    assert {one["health"] for one in devices} == {"Healthy"}


def test_container_sees_what_the_plugin_gives_it(
    space: Space, running: Json, resource: str
) -> None:
    log = _log(space, "running")
    told = next(line for line in log.splitlines() if line.startswith("NPU_DEVICES="))
    ids = told.partition("=")[2].split(",")
    assert len(set(ids)) == 2
    known = running["status"]["containerStatuses"][0].get("allocatedResourcesStatus")
    if known:
        assert set(ids) == {one["resourceID"] for one in known[0]["resources"]}


def _log(space: Space, name: str, **query: object) -> str:
    answer = space.api.ask("GET", space.pods(name, "log"), accept="*/*", **query)
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


def test_log_has_what_the_container_printed(space: Space, running: Json) -> None:
    wait_for(lambda: "GREETING=hello" in _log(space, "running").splitlines())
    assert "HOSTNAME=running" in _log(space, "running").splitlines()


def test_log_can_be_cut(space: Space, running: Json) -> None:
    whole = _log(space, "running").splitlines()
    assert _log(space, "running", tailLines=1).splitlines() == whole[-1:]
    assert len(_log(space, "running", limitBytes=5)) == 5
    stamped = _log(space, "running", timestamps="true", tailLines=1)
    datetime.fromisoformat(stamped.partition(" ")[0])
    assert _log(space, "running", container="main").splitlines()[0] == whole[0]


def test_log_can_be_followed_to_its_end(space: Space, name: Name, web: str) -> None:
    script = "import time\nfor n in range(3): print('line', n, flush=True); time.sleep(0.3)"
    created = name()
    space.run(created, image=WEB, container={"command": ["python3", "-c", script]})
    space.await_phase(created, "Running", "Succeeded")
    answer = space.api.ask("GET", space.pods(created, "log"), accept="*/*", follow="true")
    assert answer.text.splitlines() == ["line 0", "line 1", "line 2"]
    space.await_phase(created, "Succeeded")


def test_log_of_another_container_is_a_bad_request(space: Space, running: Json) -> None:
    path = space.pods("running", "log")
    status = space.api.get(path, container="other").refused(400, "BadRequest")
    assert status["message"] == "container other is not valid for pod running"
    space.api.get(path, previous="true").refused(400, "BadRequest")


def test_log_of_a_pod_without_a_node_is_empty(space: Space, name: Name) -> None:
    idle = space.run(name(), idle=True)["metadata"]["name"]
    answer = space.api.ask("GET", space.pods(idle, "log"), accept="*/*")
    assert answer.status in (200, 204)
    assert answer.text == ""


def test_log_of_nobody_is_not_found(space: Space, name: Name) -> None:
    space.api.get(space.pods(name(), "log")).refused(404, "NotFound")


def test_events_tell_the_way_to_running(space: Space, running: Json) -> None:
    uid = running["metadata"]["uid"]

    def reasons() -> list[str]:
        listed = space.api.get(space.path("events"), fieldSelector=f"involvedObject.uid={uid}")
        return [one["reason"] for one in listed.ok()["items"]]

    wait_for(lambda: {"Scheduled", "Pulled", "Created", "Started"} <= set(reasons()), reasons)


# What does not get there


def test_too_many_devices_are_unschedulable(
    space: Space, name: Name, node: Json, resource: str
) -> None:
    beyond = int(node["status"]["allocatable"][resource]) + 1
    created = space.run(name(), resource=resource, count=beyond)["metadata"]["name"]
    pod = space.await_pod(created, lambda one: bool(condition(one, "PodScheduled")))
    told = condition(pod, "PodScheduled")
    assert (told["status"], told["reason"]) == ("False", "Unschedulable")
    assert told["message"].startswith("0/")
    assert " nodes are available: " in told["message"]
    assert f"Insufficient {resource}" in told["message"]
    assert "preemption: 0/" in told["message"]
    assert pod["status"]["phase"] == "Pending"
    assert "nodeName" not in pod["spec"]
    assert "containerStatuses" not in pod["status"]
    space.api.delete(space.pods(created)).ok()


def test_unknown_resource_is_insufficient_too(space: Space, name: Name) -> None:
    created = space.run(name(), resource="nobody.example/npu")["metadata"]["name"]
    pod = space.await_pod(created, lambda one: bool(condition(one, "PodScheduled")))
    assert "Insufficient nobody.example/npu" in condition(pod, "PodScheduled")["message"]


def test_selector_that_fits_no_node_is_named(space: Space, name: Name) -> None:
    created = space.run(name(), idle=True)["metadata"]["name"]
    pod = space.await_pod(created, lambda one: bool(condition(one, "PodScheduled")))
    message = condition(pod, "PodScheduled")["message"]
    assert "didn't match Pod's node affinity/selector" in message


def test_cordoned_node_takes_no_pod(space: Space, name: Name, node: Json, resource: str) -> None:
    path = f"/api/v1/nodes/{node['metadata']['name']}"
    space.api.patch(path, {"spec": {"unschedulable": True}}).ok()
    try:
        created = space.run(name(), resource=resource)["metadata"]["name"]
        pod = space.await_pod(created, lambda one: bool(condition(one, "PodScheduled")))
        assert "node(s) were unschedulable" in condition(pod, "PodScheduled")["message"]
        taints = space.api.get(path).ok()["spec"]["taints"]
        assert ("node.kubernetes.io/unschedulable", "NoSchedule") in {
            (one["key"], one["effect"]) for one in taints
        }
    finally:
        space.api.patch(path, {"spec": {"unschedulable": None}}).ok()
    # A node that is opened again takes what waited.
    space.await_phase(created, "Running")
    space.api.delete(space.pods(created), gracePeriodSeconds=0).ok()


def test_missing_image_waits_and_says_so(space: Space, name: Name) -> None:
    created = space.run(name(), image="registry.local/nothing:1")["metadata"]["name"]
    reasons = ("ErrImagePull", "ImagePullBackOff")
    pod = space.await_pod(created, lambda one: _waiting(one) in reasons)
    assert pod["status"]["phase"] == "Pending"
    waiting = state(pod)["waiting"]
    assert "registry.local/nothing:1" in waiting["message"]
    assert "containerID" not in pod["status"]["containerStatuses"][0]
    space.api.get(space.pods(created, "log")).refused(400, "BadRequest")
    space.api.delete(space.pods(created), gracePeriodSeconds=0).ok()


def _waiting(pod: Json) -> str:
    statuses = pod["status"].get("containerStatuses") or [{"state": {}}]
    return str(statuses[0]["state"].get("waiting", {}).get("reason", ""))


# Nodes


def test_node_offers_its_devices_beside_cpu_and_memory(node: Json, resource: str) -> None:
    for part in ("capacity", "allocatable"):
        amounts = node["status"][part]
        assert int(amounts[resource]) >= 2
        assert {"cpu", "memory", "pods", "ephemeral-storage"} <= set(amounts)


def test_node_is_ready_and_known(node: Json) -> None:
    assert condition(node, "Ready")["status"] == "True"
    info = node["status"]["nodeInfo"]
    assert info["bootID"]
    assert info["kubeletVersion"].startswith("v1.")
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == node["metadata"]["name"]


def test_node_renews_its_lease(space: Space, node: Json) -> None:
    name = node["metadata"]["name"]
    path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}"

    def renewed() -> datetime:
        spec = space.api.get(path).ok()["spec"]
        assert spec["holderIdentity"] == name
        assert spec["leaseDurationSeconds"] == 40
        assert len(spec["renewTime"]) == len("2026-01-01T00:00:00.000000Z")
        return datetime.fromisoformat(spec["renewTime"])

    first = renewed()
    assert datetime.now(UTC) - first < timedelta(seconds=60)
    wait_for(lambda: renewed() > first)


def test_lease_belongs_to_its_node(space: Space, node: Json) -> None:
    listed = space.api.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases").ok()
    lease = next(
        one for one in listed["items"] if one["metadata"]["name"] == node["metadata"]["name"]
    )
    owner = lease["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("Node", node["metadata"]["uid"])
