"""A namespace lent to tests, and how to make and follow pods in it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.contract.api import Answer, Api, Json

IMAGE = "registry.local/npu-workspace:1"
FINALIZER = "contract.example/metering"
PATIENCE = 40.0


@dataclass
class Space:
    """One namespace."""

    api: Api
    name: str

    @classmethod
    def create(cls, api: Api, name: str, labels: dict[str, str] | None = None) -> "Space":
        """A new namespace, ready to take pods."""
        meta: Json = {"name": name, "labels": {"made-by": "contract", **(labels or {})}}
        api.post("/api/v1/namespaces", {"metadata": meta}).ok(201)
        space = cls(api, name)
        wait_for(lambda: api.get(space.path("serviceaccounts", "default")).status == 200)
        return space

    def path(self, plural: str, *more: str, group: str = "") -> str:
        """The path of a collection, an object, or what hangs below it."""
        root = f"/apis/{group}/v1" if group else "/api/v1"
        return "/".join([f"{root}/namespaces/{self.name}/{plural}", *more])

    @property
    def own_path(self) -> str:
        """The namespace itself."""
        return f"/api/v1/namespaces/{self.name}"

    def pods(self, *more: str) -> str:
        """The path of the pods, a pod, or what hangs below it."""
        return self.path("pods", *more)

    def pod(self, name: str) -> Json:
        """A pod that has to be there."""
        return self.api.get(self.pods(name)).ok()

    def run(self, name: str, **wish: Any) -> Json:
        """Create a pod; see `manifest`."""
        return self.api.post(self.pods(), manifest(name, **wish)).ok(201)

    def await_pod(self, name: str, is_so: Callable[[Json], bool]) -> Json:
        """The pod once something is so of it."""
        found: Json = {}

        def look() -> bool:
            nonlocal found
            found = self.pod(name)
            return is_so(found)

        wait_for(look, lambda: found.get("status"))
        return found

    def await_phase(self, name: str, *phases: str) -> Json:
        """The pod once it is in one of the phases."""
        return self.await_pod(name, lambda pod: pod["status"].get("phase") in phases)

    def await_gone(self, name: str) -> None:
        """Until no pod has the name."""
        wait_for(lambda: self.api.get(self.pods(name)).status == 404)

    def release(self, name: str) -> Answer:
        """Take the finalizers off a pod."""
        return self.api.patch(self.pods(name), {"metadata": {"finalizers": None}})

    def version(self, plural: str = "pods", group: str = "") -> str:
        """The version a watch can begin at."""
        listed = self.api.get(self.path(plural, group=group), limit=1).ok()
        return str(listed["metadata"]["resourceVersion"])

    def clear(self) -> None:
        """Delete the namespace and whatever would hold it."""
        for pod in self.api.get(self.pods()).ok()["items"]:
            if pod["metadata"].get("finalizers"):
                self.release(pod["metadata"]["name"])
        self.api.delete(self.pods(), gracePeriodSeconds=0)
        self.api.delete(self.own_path)


def wait_for(is_so: Callable[[], bool], told: Callable[[], object] = lambda: "") -> None:
    """Until something is so; fails with what was seen last."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {told()}"
        time.sleep(0.05)


def manifest(
    name: str,
    *,
    resource: str = "",
    count: int = 1,
    command: list[str] | None = None,
    image: str = IMAGE,
    held: bool = False,
    idle: bool = False,
    container: Json | None = None,
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Json:
    """A small pod: with devices, held by a finalizer, or idle (it fits no node) when wished."""
    inside: Json = {"name": "main", "image": image, **(container or {})}
    if resource:
        inside["resources"] = {"limits": {resource: str(count)}}
    if command:
        inside["command"] = command
    meta: Json = {"name": name, "labels": {"made-by": "contract", **(labels or {})}}
    if held:
        meta["finalizers"] = [FINALIZER]
    wish: Json = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "containers": [inside],
        **({"nodeSelector": {"contract.example/nowhere": "true"}} if idle else {}),
        **spec,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": wish}


def condition(obj: Json, type_: str) -> Json:
    """One condition of an object's status, empty when there is none."""
    for found in obj["status"].get("conditions") or []:
        if found["type"] == type_:
            return dict(found)
    return {}


def state(pod: Json) -> Json:
    """The state of a pod's only container."""
    found: Json = pod["status"]["containerStatuses"][0]["state"]
    return found
