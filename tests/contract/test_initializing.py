"""Init containers: one after another before the others; what waits on them, and what fails."""

from collections.abc import Callable
from typing import Any

from tests.contract.api import Json
from tests.contract.spaces import IMAGE, Space, condition, manifest, wait_for

Name = Callable[[], str]
MISSING = "registry.local/nothing:1"


def _init(name: str, *command: str, **more: Any) -> Json:
    return {"name": name, "image": IMAGE, "command": list(command), **more}


def _first(pod: Json) -> Json:
    told: list[Json] = pod["status"].get("initContainerStatuses") or [{"state": {}}]
    return told[0]


def _states(pod: Json) -> dict[str, str]:
    """Each container's state in one word: its reason, or `running`."""
    told = [
        *pod["status"]["initContainerStatuses"],
        *pod["status"]["containerStatuses"],
    ]
    return {one["name"]: _word(one["state"]) for one in told}


def _word(state: Json) -> str:
    inside: Json = next(iter(state.values()))
    return str(inside.get("reason") or "running")


def test_init_containers_run_one_after_another_and_before_the_others(
    space: Space, name: Name
) -> None:
    inits = [_init("zeroth", "sleep", "1"), _init("first", "sleep", "1")]
    created = space.run(name(), initContainers=inits)["metadata"]["name"]
    pod = space.await_phase(created, "Running")
    # In the order of the manifest, whatever their names.
    zeroth, first = pod["status"]["initContainerStatuses"]
    (main,) = pod["status"]["containerStatuses"]
    assert [zeroth["name"], first["name"]] == ["zeroth", "first"]
    ends = [one["state"]["terminated"] for one in (zeroth, first)]
    assert [(one["exitCode"], one["reason"]) for one in ends] == [(0, "Completed")] * 2
    assert ends[0]["finishedAt"] <= ends[1]["startedAt"]
    assert ends[1]["finishedAt"] <= main["state"]["running"]["startedAt"]
    assert [(one["ready"], one["started"]) for one in (zeroth, first)] == [(True, False)] * 2
    assert condition(pod, "Initialized")["status"] == "True"
    space.api.delete(space.pods(created), gracePeriodSeconds=0).ok()


def test_pod_that_initialises_is_pending_and_names_what_is_missing(
    space: Space, name: Name
) -> None:
    inits = [_init("zeroth", "sleep", "60"), _init("first", "sleep", "1")]
    created = space.run(name(), initContainers=inits)["metadata"]["name"]
    pod = space.await_pod(created, lambda one: "running" in _first(one)["state"])
    assert pod["status"]["phase"] == "Pending"
    assert _states(pod) == {
        "zeroth": "running",
        "first": "PodInitializing",
        "main": "PodInitializing",
    }
    assert (_first(pod)["ready"], _first(pod)["started"]) == (False, True)
    told = condition(pod, "Initialized")
    assert (told["status"], told["reason"]) == ("False", "ContainersNotInitialized")
    assert told["message"] == "containers with incomplete status: [zeroth first]"
    ready = condition(pod, "Ready")
    assert ready["message"] == "containers with unready status: [main]"
    refused = space.api.get(space.pods(created, "log")).refused(400, "BadRequest")
    expected = f'container "main" in pod "{created}" is waiting to start: PodInitializing'
    assert refused["message"] == expected
    assert space.api.ask(
        "GET", space.pods(created, "log"), accept="*/*", container="zeroth"
    ).status in (200, 204)
    space.api.delete(space.pods(created), gracePeriodSeconds=0).ok()


def test_init_container_that_fails_fails_a_pod_that_never_restarts(
    space: Space, name: Name
) -> None:
    inits = [_init("zeroth", "sh", "-c", "exit 3"), _init("first", "sleep", "1")]
    created = space.run(name(), initContainers=inits)["metadata"]["name"]
    pod = space.await_phase(created, "Failed")
    assert _first(pod)["state"]["terminated"]["exitCode"] == 3
    assert _states(pod) == {
        "zeroth": "Error",
        "first": "PodInitializing",
        "main": "PodInitializing",
    }
    assert condition(pod, "Initialized")["reason"] == "ContainersNotInitialized"
    assert condition(pod, "Ready")["reason"] == "PodFailed"


def test_init_container_that_fails_is_tried_again_where_the_policy_says_so(
    space: Space, name: Name
) -> None:
    inits = [_init("zeroth", "sh", "-c", "exit 4")]
    wish = {"initContainers": inits, "restartPolicy": "OnFailure"}
    created = space.run(name(), **wish)["metadata"]["name"]
    pod = space.await_pod(created, lambda one: _first(one).get("restartCount", 0) >= 1)
    assert _first(pod)["lastState"]["terminated"]["exitCode"] == 4
    assert pod["status"]["phase"] == "Pending"
    assert _states(pod)["main"] == "PodInitializing"
    space.api.delete(space.pods(created), gracePeriodSeconds=0).ok()


def test_image_of_an_init_container_is_pulled_in_its_turn(space: Space, name: Name) -> None:
    inits = [_init("zeroth", "sh", "-c", "exit 0"), _init("first", "sleep", "1", image=MISSING)]
    created = space.run(name(), initContainers=inits)["metadata"]["name"]

    def is_missed(pod: Json) -> bool:
        told = pod["status"].get("initContainerStatuses") or []
        return bool(told) and _word(told[1]["state"]) in ("ErrImagePull", "ImagePullBackOff")

    pod = space.await_pod(created, is_missed)
    assert pod["status"]["phase"] == "Pending"
    assert _states(pod)["zeroth"] == "Completed"
    assert _states(pod)["main"] == "PodInitializing"
    space.api.delete(space.pods(created), gracePeriodSeconds=0).ok()


def test_pod_deleted_while_it_initialises_fails_without_having_begun(
    space: Space, name: Name
) -> None:
    inits = [_init("zeroth", "sleep", "60")]
    created = space.run(name(), held=True, initContainers=inits)["metadata"]["name"]
    space.await_pod(created, lambda one: "running" in _first(one)["state"])
    space.api.delete(space.pods(created)).ok()
    pod = space.await_phase(created, "Failed")
    assert _first(pod)["state"]["terminated"]["exitCode"] == 137
    assert _states(pod)["main"] == "PodInitializing"
    space.release(created).ok()


def test_events_of_init_containers_point_at_them(space: Space, name: Name) -> None:
    inits = [_init("zeroth", "sh", "-c", "exit 0")]
    created = space.run(name(), initContainers=inits)["metadata"]
    space.await_phase(created["name"], "Running")

    def told() -> set[tuple[str, str]]:
        field = f"involvedObject.uid={created['uid']}"
        events = space.api.get(space.path("events"), fieldSelector=field).ok()["items"]
        return {(one["reason"], one["involvedObject"].get("fieldPath", "")) for one in events}

    path = "spec.initContainers{zeroth}"
    expected = {(reason, path) for reason in ("Pulled", "Created", "Started")}
    wait_for(lambda: expected <= told(), told)
    space.api.delete(space.pods(created["name"]), gracePeriodSeconds=0).ok()


# Their resources


def test_a_pod_gets_the_most_any_init_container_or_all_others_want(
    space: Space, name: Name, resource: str
) -> None:
    lent = {"resources": {"limits": {resource: "2"}}}
    inits = [_init("zeroth", "sleep", "1", **lent), _init("first", "sh", "-c", "exit 0", **lent)]
    created = space.run(name(), resource=resource, initContainers=inits)["metadata"]["name"]
    pod = space.await_phase(created, "Running")
    assert pod["status"]["resources"]["requests"] == {resource: "2"}
    (main,) = pod["status"]["containerStatuses"]
    held = main.get("allocatedResourcesStatus")
    if held:
        assert len(held[0]["resources"]) == 1
    assert all(
        "allocatedResourcesStatus" not in one for one in pod["status"]["initContainerStatuses"]
    )
    space.api.delete(space.pods(created), gracePeriodSeconds=0).ok()


def test_init_container_that_wants_too_much_is_unschedulable(
    space: Space, name: Name, node: Json, resource: str
) -> None:
    beyond = str(int(node["status"]["allocatable"][resource]) + 1)
    greedy = _init("zeroth", "sleep", "1", resources={"limits": {resource: beyond}})
    created = space.run(name(), initContainers=[greedy])["metadata"]["name"]
    pod = space.await_pod(created, lambda one: bool(condition(one, "PodScheduled")))
    assert f"Insufficient {resource}" in condition(pod, "PodScheduled")["message"]
    space.api.delete(space.pods(created)).ok()


def test_quota_counts_the_most_a_pod_wants_at_once(own_space: Space) -> None:
    npu = "example.com/npu"
    asked = f"requests.{npu}"
    given = {"metadata": {"name": "quota"}, "spec": {"hard": {asked: "3"}}}
    own_space.api.post(own_space.path("resourcequotas"), given).ok(201)
    path = own_space.path("resourcequotas", "quota")
    wait_for(lambda: "hard" in own_space.api.get(path).ok()["status"])
    inits = [_init("zeroth", "sleep", "1", resources={"limits": {npu: "3"}})]
    wish = manifest("one", resource=npu, count=2, idle=True, initContainers=inits)
    own_space.api.post(own_space.pods(), wish).ok(201)
    assert own_space.api.get(path).ok()["status"]["used"] == {asked: "3"}
