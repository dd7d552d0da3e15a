"""What containers get from Secrets and ConfigMaps, and in which words it is missed."""

import base64
from typing import Any

from tests.contract.api import Json
from tests.contract.spaces import Space, state, wait_for

WEB = "registry.local/npu-web:1"
SAYS = (
    "import os; print(os.environ['A'], os.environ['B'], 'C' in os.environ, open('given/b').read())"
)


def _secret(space: Space, **data: str) -> None:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    wish = {"metadata": {"name": "told"}, "data": encoded}
    space.api.post(space.path("secrets"), wish).ok(201)


def _ref(name: str, kind: str, key: str, **words: Any) -> Json:
    return {"name": name, "valueFrom": {kind: {"name": "told", "key": key, **words}}}


def _pod(space: Space, name: str, env: list[Json], volume: Json | None = None) -> None:
    mounts = [{"name": "given", "mountPath": "/given", "readOnly": True}] if volume else []
    container = {
        "env": env,
        "volumeMounts": mounts,
        "command": ["python3", "-I", "-c", SAYS],
    }
    volumes = [{"name": "given", **volume}] if volume else []
    space.run(name, image=WEB, container=container, volumes=volumes)


def test_variables_and_files_come_from_secrets_and_config_maps(own_space: Space) -> None:
    space = own_space
    _secret(space, a="one$(A)", b="two\n")
    config = {"metadata": {"name": "told"}, "data": {"b": "three"}}
    space.api.post(space.path("configmaps"), config).ok(201)
    env = [
        _ref("A", "secretKeyRef", "a"),
        _ref("B", "configMapKeyRef", "b"),
        _ref("C", "secretKeyRef", "c", optional=True),
    ]
    only_b = {"secretName": "told", "items": [{"key": "b", "path": "b"}]}
    _pod(space, "told", env, {"secret": only_b})
    space.await_phase("told", "Succeeded")
    log = space.api.get(space.pods("told", "log")).text
    assert log == "one$(A) three False two\n\n"


def test_a_variable_without_its_secret_waits_and_says_so(own_space: Space) -> None:
    space = own_space
    _pod(space, "early", [_ref("A", "secretKeyRef", "a")])

    def waits(pod: Json, message: str) -> bool:
        said = (pod["status"].get("containerStatuses") or [{}])[0].get("state", {}).get("waiting")
        wanted = ("CreateContainerConfigError", message)
        return bool(said) and (said["reason"], said.get("message")) == wanted

    space.await_pod("early", lambda pod: waits(pod, 'secret "told" not found'))
    _secret(space, b="x")
    missing = f"couldn't find key a in Secret {space.name}/told"
    space.await_pod("early", lambda pod: waits(pod, missing))


def test_a_volume_without_its_secret_keeps_the_pod_from_starting(own_space: Space) -> None:
    space = own_space
    _pod(space, "early", [], {"secret": {"secretName": "told"}})
    field = "involvedObject.name=early,reason=FailedMount"

    def messages() -> list[str]:
        listed = space.api.get(space.path("events"), fieldSelector=field).ok()
        return [event["message"] for event in listed["items"]]

    wait_for(lambda: bool(messages()))
    assert 'MountVolume.SetUp failed for volume "given" : secret "told" not found' in messages()[0]
    assert state(space.pod("early"))["waiting"]["reason"] == "ContainerCreating"
