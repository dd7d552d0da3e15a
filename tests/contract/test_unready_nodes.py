"""A node that says it is not ready: its taints, and what they do to the pods it has."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.api import Api, Json
from tests.contract.spaces import Space, condition, manifest, wait_for

NOT_READY = "node.kubernetes.io/not-ready"


class Hollow:
    """A node without a kubelet: the test says what a kubelet would."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.name = f"unready-{uuid.uuid4().hex[:8]}"
        self.path = f"/api/v1/nodes/{self.name}"
        # Whatever else runs on the cluster stays away.
        apart = {"key": "contract.example/hollow", "effect": "NoSchedule"}
        meta = {"name": self.name, "labels": {"made-by": "contract"}}
        api.post("/api/v1/nodes", {"metadata": meta, "spec": {"taints": [apart]}}).ok(201)

    def say(self, is_ready: bool) -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = {
            "type": "Ready",
            "status": str(is_ready),
            "reason": "KubeletReady" if is_ready else "KubeletNotReady",
            "message": "said by the contract",
            "lastHeartbeatTime": at,
            "lastTransitionTime": at,
        }
        self._api.patch(f"{self.path}/status", {"status": {"conditions": [told]}}).ok()

    def effects(self) -> list[str]:
        taints = self._api.get(self.path).ok()["spec"].get("taints") or []
        return [str(one["effect"]) for one in taints if one["key"] == NOT_READY]


@pytest.fixture
def hollow(api: Api) -> Iterator[Hollow]:
    """A node that says it is ready."""
    node = Hollow(api)
    try:
        node.say(is_ready=True)
        wait_for(lambda: not node.effects())
        yield node
    finally:
        api.delete(node.path).ok()


def _run_on(space: Space, node: Hollow, name: str, **spec: Any) -> None:
    """A pod whose kubelet, had it one, said that it runs."""
    given = manifest(name, held=True, nodeName=node.name, **spec)
    space.api.post(space.pods(), given).ok(201)
    ready: list[Json] = [{"type": one, "status": "True"} for one in ("Ready", "ContainersReady")]
    told = {"status": {"phase": "Running", "conditions": ready}}
    space.api.patch(space.pods(name, "status"), told).ok()


def test_node_that_is_not_ready_loses_what_does_not_bear_it(
    own_space: Space, hollow: Hollow
) -> None:
    patient = [{"key": NOT_READY, "operator": "Exists", "effect": "NoExecute"}]
    hasty = [{**patient[0], "tolerationSeconds": 1}]
    _run_on(own_space, hollow, "patient", tolerations=patient)
    _run_on(own_space, hollow, "hasty", tolerations=hasty)
    hollow.say(is_ready=False)
    wait_for(lambda: sorted(hollow.effects()) == ["NoExecute", "NoSchedule"], hollow.effects)
    gone = own_space.await_pod("hasty", lambda pod: "deletionTimestamp" in pod["metadata"])
    assert condition(gone, "DisruptionTarget")["reason"] == "DeletionByTaintManager"
    # A kubelet that says so itself speaks for its pods too.
    for name in ("patient", "hasty"):
        assert condition(own_space.pod(name), "Ready")["status"] == "True"
    assert "deletionTimestamp" not in own_space.pod("patient")["metadata"]
    hollow.say(is_ready=True)
    wait_for(lambda: not hollow.effects(), hollow.effects)
