"""Planted faults: each does what it says, where it says, as often as it says."""

import json
import threading
import time

import pytest
import urllib3

from tests.sandbox.processes import PODS, Process, wait_for

Dropped = (urllib3.exceptions.ProtocolError, urllib3.exceptions.NewConnectionError)
# Pods of other tests may still be told of.
NOBODY = {"fieldSelector": "metadata.name=nobody"}
ANY_SPEC = {"containers": [{"name": "c", "image": "i"}]}


def test_operator_needs_the_operators_token(sandbox: Process) -> None:
    pool = urllib3.PoolManager()
    for token in ("", sandbox.token("quick")):
        headers = {"Authorization": f"Bearer {token}"}
        answer = pool.request("GET", f"{sandbox.address}/admin/state", headers=headers)
        assert answer.status == 401


def test_a_cluster_opens_to_its_own_token_only(sandbox: Process) -> None:
    pool = urllib3.PoolManager()
    headers = {"Authorization": f"Bearer {sandbox.token('other')}"}
    answer = pool.request("GET", f"{sandbox.address}/clusters/quick/api/v1/nodes", headers=headers)
    assert answer.status == 401


def test_kubectl_may_show_the_token_as_a_password(sandbox: Process) -> None:
    config = json.loads((sandbox.folder / "quick.kubectl").read_text())
    server = urllib3.util.parse_url(config["clusters"][0]["cluster"]["server"])
    pool = urllib3.PoolManager()
    path = f"{sandbox.address}/clusters/quick/api/v1/nodes"
    shown = urllib3.make_headers(basic_auth=server.auth)
    assert pool.request("GET", path, headers=shown).status == 200
    wrong = urllib3.make_headers(basic_auth="portal:wrong")
    assert pool.request("GET", path, headers=wrong).status == 401
    assert pool.request("GET", path, headers={"Authorization": "Basic %"}).status == 401


def test_secrets_are_readable_by_their_owner_only(sandbox: Process) -> None:
    for name in ("quick.token", "quick.kubeconfig", "quick.kubectl", "admin.token"):
        assert (sandbox.folder / name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "fault", [{"shape": "frob"}, {"cluster": "quick"}, {"shape": "slow", "x": 1}]
)
def test_fault_that_is_none_is_refused(sandbox: Process, fault: dict[str, object]) -> None:
    answer = sandbox._send(
        "POST", f"{sandbox.address}/admin/faults", fault, sandbox.token("admin"), {}
    )
    assert answer.status == 400


def test_server_that_is_down_answers_503_for_so_long(sandbox: Process) -> None:
    sandbox.plant("down", cluster="quick", code=503, for_seconds=0.3)
    answer = sandbox.ask("GET", "/api/v1/nodes")
    assert answer.status == 503
    assert answer.body["reason"] == "ServiceUnavailable"
    assert sandbox.ask("GET", "/api/v1/nodes", cluster="other").status == 200
    wait_for(lambda: sandbox.ask("GET", "/api/v1/nodes").status == 200)


def test_server_that_is_gone_does_not_answer_at_all(sandbox: Process) -> None:
    sandbox.plant("down", cluster="quick", code=0, count=1)
    with pytest.raises(Dropped):
        sandbox.ask("GET", "/api/v1/nodes")
    assert sandbox.ask("GET", "/api/v1/nodes").status == 200


def test_too_many_requests_say_when_to_come_back(sandbox: Process) -> None:
    sandbox.plant("error", code=429, retry_after=7, verbs=["create"], resource="pods", count=1)
    assert sandbox.ask("GET", PODS).status == 200
    answer = sandbox.ask("POST", PODS, {"metadata": {"name": "x"}, "spec": {"containers": []}})
    assert answer.status == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.body["details"] == {"retryAfterSeconds": 7}


@pytest.mark.parametrize(("when", "stored"), [("before", 404), ("after", 200)])
def test_error_comes_before_the_write_or_after(sandbox: Process, when: str, stored: int) -> None:
    sandbox.plant("error", code=500, when=when, verbs=["create"], count=1)
    pod = {
        "metadata": {"name": f"err-{when}"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    answer = sandbox.ask("POST", PODS, pod)
    assert (answer.status, answer.body["reason"]) == (500, "InternalError")
    assert sandbox.ask("GET", f"{PODS}/err-{when}").status == stored


@pytest.mark.parametrize(("when", "stored"), [("before", 404), ("after", 200)])
def test_answer_is_dropped_before_the_write_or_after(
    sandbox: Process, when: str, stored: int
) -> None:
    sandbox.plant("drop", when=when, verbs=["create"], resource="pods", count=1)
    pod = {
        "metadata": {"name": f"drop-{when}"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    with pytest.raises(Dropped):
        sandbox.ask("POST", PODS, pod)
    assert sandbox.ask("GET", f"{PODS}/drop-{when}").status == stored


def test_slow_answer_takes_its_time(sandbox: Process) -> None:
    sandbox.plant("slow", seconds=0.3, verbs=["list"], resource="nodes", count=1)
    began = time.monotonic()
    assert sandbox.ask("GET", "/api/v1/nodes").status == 200
    assert time.monotonic() - began >= 0.3


def test_next_watch_is_told_that_it_is_too_late(sandbox: Process) -> None:
    version = sandbox.ask("GET", PODS).body["metadata"]["resourceVersion"]
    sandbox.plant("watch_gone", resource="pods", count=1)
    query = {"resourceVersion": version, "timeoutSeconds": 1, **NOBODY}
    events = sandbox.watch(PODS, **query)
    assert [event["type"] for event in events] == ["ERROR"]
    assert events[0]["object"]["code"] == 410
    assert sandbox.watch(PODS, **query) == []


def test_silent_watch_stays_open_and_says_nothing(sandbox: Process) -> None:
    version = sandbox.ask("GET", PODS).body["metadata"]["resourceVersion"]
    sandbox.run("unheard", count=0)
    sandbox.plant("watch_silent", resource="pods", count=1)
    query = {"resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": 30}
    began = time.monotonic()
    assert sandbox.watch(PODS, read=1.0, **query) == []
    assert time.monotonic() - began >= 1.0
    assert sandbox.watch(PODS, read=1.0, **{**query, "timeoutSeconds": 1})


def test_watch_is_closed_when_its_client_leaves(sandbox: Process) -> None:
    sandbox.watch(PODS, read=0.2, timeoutSeconds=60, **NOBODY)
    wait_for(lambda: sandbox.operate("GET", "/state")["clusters"]["quick"]["watches"] == [])


def test_open_watches_can_be_cut(sandbox: Process) -> None:
    ended = threading.Event()

    def follow() -> None:
        sandbox.watch(PODS, read=20, timeoutSeconds=20, **NOBODY)
        ended.set()

    thread = threading.Thread(target=follow)
    thread.start()
    wait_for(lambda: "pods" in sandbox.operate("GET", "/state")["clusters"]["quick"]["watches"])
    assert sandbox.operate("POST", "/clusters/quick/watches/cut")["watches"] >= 1
    assert ended.wait(5)
    thread.join()


def test_history_can_be_made_to_expire(sandbox: Process) -> None:
    version = sandbox.ask("GET", PODS).body["metadata"]["resourceVersion"]
    sandbox.run("since", count=0)
    sandbox.operate("POST", "/clusters/quick/watches/expire")
    events = sandbox.watch(PODS, resourceVersion=version, timeoutSeconds=1)
    assert [event["type"] for event in events] == ["ERROR"]


def test_pages_of_a_forgotten_list_are_expired_and_can_go_on(sandbox: Process) -> None:
    for number in range(3):
        sandbox.run(f"page-{number}", count=0)
    first = sandbox.ask("GET", PODS, limit=1).body["metadata"]
    sandbox.operate("POST", "/clusters/quick/watches/expire")
    answer = sandbox.ask("GET", PODS, **{"continue": first["continue"]})
    assert (answer.status, answer.body["reason"]) == (410, "Expired")
    onward = answer.body["metadata"]["continue"]
    rest = sandbox.ask("GET", PODS, **{"continue": onward})
    assert rest.status == 200
    assert rest.body["items"]


def test_bookmarks_come_by_and_by(sandbox: Process) -> None:
    version = sandbox.ask("GET", PODS).body["metadata"]["resourceVersion"]
    query = {"resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": 2}
    events = sandbox.watch(PODS, **query)
    assert [event["type"] for event in events].count("BOOKMARK") >= 3


# Hardware


def _node(sandbox: Process, name: str) -> dict[str, object]:
    found: dict[str, object] = sandbox.ask("GET", f"/api/v1/nodes/{name}").body
    return found


def _ready(sandbox: Process, name: str) -> str:
    conditions = sandbox.ask("GET", f"/api/v1/nodes/{name}").body["status"]["conditions"]
    return str(next(one["status"] for one in conditions if one["type"] == "Ready"))


def test_node_can_be_lost_and_found(sandbox: Process) -> None:
    sandbox.operate("POST", "/clusters/quick/nodes/one/lose")
    wait_for(lambda: _ready(sandbox, "one") == "Unknown")
    sandbox.operate("POST", "/clusters/quick/nodes/one/return", {"rebooted": True})
    wait_for(lambda: _ready(sandbox, "one") == "True")


def test_device_can_fall_ill_and_recover(sandbox: Process) -> None:
    body = {"resource": "furiosa.ai/rngd", "id": "npu0", "healthy": False}
    assert sandbox.operate("POST", "/clusters/quick/nodes/two/devices", body)["allocatable"] == "3"
    body["healthy"] = True
    assert sandbox.operate("POST", "/clusters/quick/nodes/two/devices", body)["allocatable"] == "4"


def test_pod_can_be_evicted_by_its_kubelet(sandbox: Process) -> None:
    sandbox.run("evicted")
    sandbox.await_phase("evicted", "Running")
    sandbox.operate(
        "POST", "/clusters/quick/pods/default/evicted/evict", {"message": "low on memory"}
    )
    pod = sandbox.await_phase("evicted", "Failed")
    assert (pod["status"]["reason"], pod["status"]["message"]) == ("Evicted", "low on memory")
    assert "deletionTimestamp" not in pod["metadata"]


def test_pod_can_be_preempted_by_the_scheduler(sandbox: Process) -> None:
    sandbox.run("preempted")
    sandbox.await_phase("preempted", "Running")
    held = {"metadata": {"finalizers": ["test.example/held"]}}
    sandbox.ask("PATCH", f"{PODS}/preempted", held)
    sandbox.operate("POST", "/clusters/quick/pods/default/preempted/preempt")
    pod = sandbox.pod("preempted")
    conditions = {
        one["type"]: one["reason"] for one in pod["status"]["conditions"] if "reason" in one
    }
    assert conditions["DisruptionTarget"] == "PreemptionByScheduler"
    assert pod["metadata"]["deletionTimestamp"]
    sandbox.ask("PATCH", f"{PODS}/preempted", {"metadata": {"finalizers": None}})


def test_program_can_be_made_to_end(sandbox: Process) -> None:
    sandbox.run("ended")
    sandbox.await_phase("ended", "Running")
    body = {"code": 137, "reason": "OOMKilled"}
    sandbox.operate("POST", "/clusters/quick/pods/default/ended/exit", body)
    pod = sandbox.await_phase("ended", "Failed")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


def test_pull_can_be_made_to_fail_and_to_succeed_again(sandbox: Process) -> None:
    image = "registry.local/npu-workspace:1"
    sandbox.operate("POST", "/clusters/quick/images", {"image": image, "broken": True})
    sandbox.run("unpulled")

    def waiting() -> str:
        statuses = sandbox.pod("unpulled")["status"].get("containerStatuses") or [{"state": {}}]
        return str(statuses[0]["state"].get("waiting", {}).get("reason"))

    wait_for(lambda: waiting() == "ErrImagePull")
    wait_for(lambda: waiting() == "ImagePullBackOff")
    sandbox.operate("POST", "/clusters/quick/images", {"image": image, "broken": False})
    sandbox.await_phase("unpulled", "Running")


def test_admission_can_be_refused_once(sandbox: Process) -> None:
    for node in ("one", "two"):
        sandbox.operate("POST", f"/clusters/quick/nodes/{node}/refuse-admission", {"count": 1})
    sandbox.run("refused")
    pod = sandbox.await_phase("refused", "Failed")
    assert pod["status"]["reason"] == "UnexpectedAdmissionError"
    assert "which is unexpected" in pod["status"]["message"]
    assert "containerStatuses" not in pod["status"] or not pod["status"]["containerStatuses"]
    for node in ("one", "two"):
        sandbox.operate("POST", f"/clusters/quick/nodes/{node}/refuse-admission", {"count": -1})


def test_unknown_hardware_is_refused(sandbox: Process) -> None:
    token = sandbox.token("admin")
    for path in ("/clusters/nowhere/nodes/one/lose", "/frob"):
        answer = sandbox._send("POST", f"{sandbox.address}/admin{path}", {}, token, {})
        assert answer.status in (400, 404)


def test_state_tells_what_a_test_wants_to_know(sandbox: Process) -> None:
    sandbox.plant("slow", cluster="other", seconds=1, count=2)
    told = sandbox.operate("GET", "/state")
    assert set(told["clusters"]) == {"quick", "other"}
    node = told["clusters"]["quick"]["nodes"]["one"]
    assert node["online"] is True
    assert node["devices"]["furiosa.ai/rngd"]["ids"] == ["npu0", "npu1", "npu2", "npu3"]
    assert [(fault["shape"], fault["left"]) for fault in told["faults"]] == [("slow", 2)]
