"""How pods end: by themselves, by a delete, by a deadline; and what is left to read afterwards."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.contract.api import Json
from tests.contract.spaces import Space, condition, state, wait_for

Name = Callable[[], str]


def _at(text: str) -> datetime:
    assert len(text) == len("2026-01-01T00:00:00Z")
    return datetime.fromisoformat(text)


def _ended(pod: Json) -> Json:
    found: Json = state(pod)["terminated"]
    return found


def test_program_that_ends_well_succeeds(space: Space, name: Name) -> None:
    created = space.run(name(), command=["sleep", "1"])["metadata"]["name"]
    pod = space.await_phase(created, "Succeeded", "Failed")
    ended = _ended(pod)
    assert pod["status"]["phase"] == "Succeeded"
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    assert ended["containerID"] == pod["status"]["containerStatuses"][0]["containerID"]
    took = _at(ended["finishedAt"]) - _at(ended["startedAt"])
    assert timedelta(seconds=1) <= took <= timedelta(seconds=5)
    assert condition(pod, "Ready")["reason"] == "PodCompleted"


def test_program_that_ends_badly_fails(space: Space, name: Name) -> None:
    created = space.run(name(), command=["sh", "-c", "echo oh; exit 3"])["metadata"]["name"]
    pod = space.await_phase(created, "Succeeded", "Failed")
    assert pod["status"]["phase"] == "Failed"
    assert (_ended(pod)["exitCode"], _ended(pod)["reason"]) == (3, "Error")
    assert condition(pod, "Ready")["reason"] == "PodFailed"
    log = space.api.ask("GET", space.pods(created, "log"), accept="*/*")
    assert (log.status, log.text) == (200, "oh\n")


def test_program_that_is_not_there_never_starts(space: Space, name: Name) -> None:
    created = space.run(name(), command=["no-such-program"])["metadata"]["name"]
    pod = space.await_phase(created, "Failed")
    ended = _ended(pod)
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "no-such-program" in ended["message"]
    # Beware: a start that never was is told as the beginning of time.
    assert ended["startedAt"] == "1970-01-01T00:00:00Z"
    assert not ended["finishedAt"].startswith("1970")


def test_restart_policy_starts_it_again(space: Space, name: Name) -> None:
    command = ["sh", "-c", "exit 3"]
    created = space.run(name(), command=command, restartPolicy="OnFailure")["metadata"]["name"]
    pod = space.await_pod(created, lambda one: _restarts(one) >= 1)
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 3
    pod = space.await_pod(created, lambda one: "waiting" in state(one))
    assert state(pod)["waiting"]["reason"] == "CrashLoopBackOff"
    space.api.delete(space.pods(created), gracePeriodSeconds=0).ok()


def _restarts(pod: Json) -> int:
    return max(
        (one["restartCount"] for one in pod["status"].get("containerStatuses") or []), default=0
    )


def test_deadline_ends_a_pod(space: Space, name: Name) -> None:
    created = space.run(name(), activeDeadlineSeconds=1)["metadata"]["name"]
    pod = space.await_phase(created, "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    assert (
        pod["status"]["message"] == "Pod was active on the node longer than the specified deadline"
    )
    pod = space.await_pod(created, lambda one: "terminated" in state(one))
    assert _ended(pod)["exitCode"] == 137


# Deleting what runs


@pytest.fixture
def held(own_space: Space, resource: str) -> Json:
    """A running pod with a device and a finalizer."""
    own_space.run("held", resource=resource, held=True)
    return own_space.await_phase("held", "Running")


def _delete_held(space: Space) -> Json:
    space.api.delete(space.pods("held")).ok()
    return space.await_pod("held", lambda pod: "terminated" in state(pod))


def test_delete_gives_the_grace_of_the_spec(own_space: Space, held: Json) -> None:
    told = own_space.api.delete(own_space.pods("held")).ok()
    assert told["metadata"]["deletionGracePeriodSeconds"] == 1
    assert told["metadata"]["deletionTimestamp"]
    assert told["status"]["phase"] == "Running"


def test_held_pod_tells_its_end_to_the_second(own_space: Space, held: Json) -> None:
    pod = _delete_held(own_space)
    before, ended = state(held)["running"], _ended(pod)
    assert ended["startedAt"] == before["startedAt"]
    assert _at(ended["startedAt"]) <= _at(ended["finishedAt"])
    assert ended["exitCode"] in (137, 143)
    assert ended["reason"] == "Error"
    assert ended["containerID"] == held["status"]["containerStatuses"][0]["containerID"]


def test_held_pod_turns_failed_and_waits(own_space: Space, held: Json) -> None:
    _delete_held(own_space)
    pod = own_space.await_pod(
        "held", lambda one: one["metadata"]["deletionGracePeriodSeconds"] == 0
    )
    assert pod["status"]["phase"] == "Failed"
    assert condition(pod, "Ready")["status"] == "False"
    assert pod["metadata"]["uid"] == held["metadata"]["uid"]
    own_space.release("held").ok()
    own_space.await_gone("held")


def test_devices_stay_named_after_the_end(own_space: Space, held: Json) -> None:
    before = held["status"]["containerStatuses"][0].get("allocatedResourcesStatus")
    if before is None:
        pytest.skip("allocatedResourcesStatus: the kubelet does not tell devices (before 1.36)")
    pod = _delete_held(own_space)
    after = pod["status"]["containerStatuses"][0].get("allocatedResourcesStatus")
    assert after == before


def test_device_of_an_ended_pod_is_free_though_the_pod_is_held(
    own_space: Space, node: Json, resource: str
) -> None:
    everything = int(node["status"]["allocatable"][resource])
    own_space.run("held", resource=resource, count=everything, held=True)
    own_space.await_phase("held", "Running")
    _delete_held(own_space)
    own_space.run("next", resource=resource, count=everything)
    own_space.await_phase("next", "Running")
    assert own_space.api.get(own_space.pods("held")).status == 200


LISTENING = ["sh", "-c", "trap 'exit 0' TERM; sleep 100 & wait"]


def test_program_that_listens_ends_with_its_own_code(own_space: Space) -> None:
    own_space.run("held", command=LISTENING, terminationGracePeriodSeconds=30, held=True)
    own_space.await_phase("held", "Running")
    # A program needs a moment before it listens; nobody waits for that but this test.
    time.sleep(1)
    pod = _delete_held(own_space)
    assert _ended(pod)["exitCode"] == 0
    assert pod["status"]["phase"] == "Succeeded"


def test_quota_of_an_ended_pod_is_free_though_the_pod_is_held(
    own_space: Space, resource: str
) -> None:
    hard = {"metadata": {"name": "quota"}, "spec": {"hard": {f"requests.{resource}": "1"}}}
    path = own_space.path("resourcequotas")
    own_space.api.post(path, hard).ok(201)

    def used() -> str:
        status = own_space.api.get(f"{path}/quota").ok()["status"]
        return str((status.get("used") or {}).get(f"requests.{resource}"))

    wait_for(lambda: used() == "0", used)
    # Ended well within its grace: what ends after it is only counted down when it is gone.
    own_space.run(
        "held", resource=resource, command=LISTENING, terminationGracePeriodSeconds=30, held=True
    )
    own_space.await_phase("held", "Running")
    assert used() == "1"
    time.sleep(1)
    _delete_held(own_space)
    wait_for(lambda: used() == "0", used)


def test_unheld_pod_ends_and_goes(own_space: Space, resource: str) -> None:
    own_space.run("plain", resource=resource)
    pod = own_space.await_phase("plain", "Running")
    version = pod["metadata"]["resourceVersion"]
    own_space.api.delete(own_space.pods("plain")).ok()
    own_space.await_gone("plain")
    events = own_space.api.watch(own_space.pods(), resourceVersion=version)
    assert events[-1]["type"] == "DELETED"
    # The last word still tells when it ended.
    assert _ended(events[-1]["object"])["finishedAt"]


def test_grace_zero_takes_the_object_at_once(own_space: Space) -> None:
    own_space.run("plain")
    own_space.await_phase("plain", "Running")
    own_space.api.delete(own_space.pods("plain"), {"gracePeriodSeconds": 0}).ok()
    own_space.api.get(own_space.pods("plain")).refused(404, "NotFound")


def test_grace_can_be_made_shorter_but_not_longer(own_space: Space) -> None:
    own_space.run("slow", terminationGracePeriodSeconds=30)
    own_space.await_phase("slow", "Running")
    path = own_space.pods("slow")
    first = own_space.api.delete(path).ok()["metadata"]
    longer = own_space.api.delete(path, {"gracePeriodSeconds": 60}).ok()["metadata"]
    shorter = own_space.api.delete(path, {"gracePeriodSeconds": 1}).ok()["metadata"]
    assert first["deletionGracePeriodSeconds"] == 30
    assert longer["deletionTimestamp"] == first["deletionTimestamp"]
    assert shorter["deletionGracePeriodSeconds"] == 1
    assert _at(shorter["deletionTimestamp"]) < _at(first["deletionTimestamp"])
    own_space.await_gone("slow")


def test_pod_that_never_started_ends_without_times(own_space: Space, resource: str) -> None:
    own_space.run("stuck", image="registry.local/nothing:1", resource=resource, held=True)
    own_space.await_pod(
        "stuck",
        lambda pod: (
            "waiting" in (pod["status"].get("containerStatuses") or [{"state": {}}])[0]["state"]
        ),
    )
    own_space.api.delete(own_space.pods("stuck")).ok()
    pod = own_space.await_pod("stuck", lambda one: "terminated" in state(one))
    ended = _ended(pod)
    assert (ended["exitCode"], ended["reason"]) == (137, "ContainerStatusUnknown")
    assert ended["startedAt"] is None
    assert ended["finishedAt"] is None
    assert "containerID" not in ended
    assert pod["status"]["phase"] == "Failed"


def test_eviction_is_a_delete_with_a_reason(own_space: Space) -> None:
    own_space.run("held", held=True)
    own_space.await_phase("held", "Running")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "held"}}
    told = own_space.api.post(own_space.pods("held", "eviction"), eviction).ok(201)
    assert told["status"] == "Success"
    pod = own_space.await_pod("held", lambda one: "terminated" in state(one))
    assert pod["metadata"]["deletionTimestamp"]
    assert condition(pod, "DisruptionTarget")["reason"] == "EvictionByEvictionAPI"


def test_node_keeps_count_of_what_it_offers(own_space: Space, node: Json, resource: str) -> None:
    """Allocation is not the node's affair: what it offers stays, the scheduler subtracts."""
    own_space.run("one", resource=resource)
    own_space.await_phase("one", "Running")
    now = own_space.api.get(f"/api/v1/nodes/{node['metadata']['name']}").ok()
    assert now["status"]["allocatable"][resource] == node["status"]["allocatable"][resource]
