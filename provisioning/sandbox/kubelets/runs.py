"""What a kubelet knows of a pod it runs, and how it reads that back from a pod's status."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from provisioning.sandbox.containers.runtime import Exit
from provisioning.sandbox.objects import Json, spec, status, uid_of
from provisioning.sandbox.store import Key
from provisioning.sandbox.times import parse

SCHEME = "sandbox://"


class Step(Enum):
    """How far a pod has come on its node."""

    PULLING = "pulling"
    STARTING = "starting"
    STARTED = "started"


@dataclass
class ContainerRun:
    """One container of a pod: waiting, running or ended."""

    name: str
    container: Json
    waiting: str = "ContainerCreating"
    message: str = ""
    container_id: str = ""
    started_at: datetime | None = None
    exit: Exit | None = None
    restarts: int = 0
    last: Json | None = None

    @property
    def is_running(self) -> bool:
        return self.started_at is not None and self.exit is None

    def begin(self, at: datetime) -> None:
        self.container_id = SCHEME + secrets.token_hex(32)
        self.started_at = at
        self.exit = None
        self.waiting = ""


@dataclass
class PodRun:
    """One pod on one node."""

    uid: str
    key: Key
    ip: str
    admitted_at: datetime
    step: Step = Step.PULLING
    containers: dict[str, ContainerRun] = field(default_factory=dict)
    # The last word on each container's devices; it outlives their release.
    allocated: dict[str, list[Json]] = field(default_factory=dict)
    stopping_grace: float | None = None
    reason: str = ""
    message: str = ""

    def each(self) -> list[ContainerRun]:
        return list(self.containers.values())


def new_run(pod: Json, *, key: Key, ip: str, at: datetime) -> PodRun:
    containers = {
        container["name"]: ContainerRun(container["name"], container)
        for container in spec(pod).get("containers") or []
    }
    return PodRun(uid_of(pod), key, ip, at, containers=containers)


def read_back(pod: Json, *, key: Key) -> PodRun:
    """The run a status tells of, for a kubelet that comes back."""
    told = status(pod)
    run = new_run(pod, key=key, ip=told.get("podIP") or "", at=parse(told["startTime"]))
    for container in told.get("containerStatuses") or []:
        if container["name"] in run.containers:
            _read_container(run.containers[container["name"]], container)
            run.allocated[container["name"]] = container.get("allocatedResourcesStatus") or []
    if any(one.started_at for one in run.each()):
        run.step = Step.STARTED
    return run


def _read_container(run: ContainerRun, told: Json) -> None:
    run.restarts = int(told.get("restartCount") or 0)
    run.container_id = told.get("containerID") or ""
    run.last = told.get("lastState") or None
    state = told.get("state") or {}
    if "running" in state:
        run.started_at, run.waiting = parse(state["running"]["startedAt"]), ""
    elif "terminated" in state:
        ended = state["terminated"]
        if ended.get("startedAt"):
            run.started_at = parse(ended["startedAt"])
        at = parse(ended["finishedAt"]) if ended.get("finishedAt") else parse("1970-01-01T00:00:00Z")
        run.exit, run.waiting = Exit(ended["exitCode"], at, ended["reason"]), ""
    elif "waiting" in state:
        run.waiting = state["waiting"].get("reason") or "ContainerCreating"
        run.message = state["waiting"].get("message") or ""
