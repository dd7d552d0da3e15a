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
CREATING = "ContainerCreating"


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
    waiting: str = CREATING
    message: str = ""
    container_id: str = ""
    started_at: datetime | None = None
    exit: Exit | None = None
    # The pod ended before the container ever started, so nobody can say how it went.
    is_lost: bool = False
    is_image_told: bool = False
    restarts: int = 0
    last: Json | None = None

    @property
    def is_running(self) -> bool:
        """Started and not ended, as far as the kubelet knows."""
        return self.started_at is not None and self.exit is None

    @property
    def is_over(self) -> bool:
        """Nothing more will come of it unless it is started again."""
        return self.exit is not None or self.is_lost

    @property
    def field_path(self) -> str:
        """Where events point."""
        return f"spec.containers{{{self.name}}}"

    def begin(self, at: datetime) -> None:
        """A new run with an id of its own."""
        self.container_id = SCHEME + secrets.token_hex(32)
        self.started_at = at
        self.exit = None
        self.waiting = self.message = ""


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
    # The grace its containers were told to end in; None while nobody told them.
    stopping_grace: float | None = None
    # Why the kubelet itself ended or refused the pod.
    reason: str = ""
    message: str = ""

    def each(self) -> list[ContainerRun]:
        """The containers in the order of the spec."""
        return list(self.containers.values())

    @property
    def is_over(self) -> bool:
        """No container runs or will run."""
        return all(container.is_over for container in self.containers.values())


def new_run(pod: Json, *, key: Key, at: datetime) -> PodRun:
    """A pod that has just come to its node."""
    containers = {
        container["name"]: ContainerRun(container["name"], container)
        for container in spec(pod).get("containers") or []
    }
    return PodRun(uid_of(pod), key, "", at, containers=containers)


def read_back(pod: Json, *, key: Key) -> PodRun:
    """The run a status tells of, for a kubelet that comes back."""
    told = status(pod)
    run = new_run(pod, key=key, at=parse(told["startTime"]))
    run.ip = told.get("podIP") or ""
    run.reason, run.message = told.get("reason") or "", told.get("message") or ""
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
        _read_end(run, state["terminated"])
    elif "waiting" in state:
        run.waiting = state["waiting"].get("reason") or CREATING
        run.message = state["waiting"].get("message") or ""


def _read_end(run: ContainerRun, ended: Json) -> None:
    run.waiting = ""
    if not ended.get("finishedAt"):
        run.is_lost = True
        return
    run.started_at = parse(ended["startedAt"])
    at = parse(ended["finishedAt"])
    run.exit = Exit(ended["exitCode"], at, ended["reason"], ended.get("message") or "")
