"""The pods whose inside is looked at: one that serves a page, and the workspace."""

import pytest

from tests.contract.spaces import IMAGE, Space, state, wait_for

WEB = "registry.local/npu-web:1"
PORT = 8080


def start_web(space: Space) -> str:
    """A pod that serves the page."""
    space.run("web", image=WEB, container={"imagePullPolicy": "IfNotPresent"})
    waits = ("ErrImagePull", "ImagePullBackOff")
    pod = space.await_pod(
        "web",
        lambda one: (
            one["status"].get("phase") == "Running"
            or (one["status"].get("containerStatuses") or [{"state": {}}])[0]["state"]
            .get("waiting", {})
            .get("reason")
            in waits
        ),
    )
    assert "running" in state(pod), f"the cluster needs the image {WEB}: see deploy/npu-web"
    # A container runs before its program listens.
    path = space.pods("web", "log")
    wait_for(lambda: "listening on port" in space.api.ask("GET", path, accept="*/*").text)
    return "web"


def start_workspace(space: Space) -> str:
    """The workspace."""
    space.run("workspace", image=IMAGE)
    space.await_phase("workspace", "Running")
    return "workspace"


@pytest.fixture(scope="module")
def web(space: Space) -> str:
    """The path of a pod that serves the page."""
    return space.pods(start_web(space))


@pytest.fixture(scope="module", params=["workspace", "web"])
def inside(request: pytest.FixtureRequest, space: Space) -> str:
    """The path of a pod to look into: state alone and a process must answer alike."""
    if request.param == "web":
        return str(request.getfixturevalue("web"))
    return space.pods(start_workspace(space))
