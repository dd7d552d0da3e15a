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
# What the containers of a pod with init containers wait for, first to last.
INITIALIZING = "PodInitializing"


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
    # Its pod has shown that it may use its image, where not everybody may.
    is_let_in: bool = False
    restarts: int = 0
    last: Json | None = None
    is_init: bool = False
    # What it says while it waits and nothing is wrong.
    calm: str = CREATING

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
        group = "initContainers" if self.is_init else "containers"
        return f"spec.{group}{{{self.name}}}"

    @property
    def is_done(self) -> bool:
        """An init container that did its work: the next one may begin."""
        return self.exit is not None and self.exit.code == 0

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
    inits: dict[str, ContainerRun] = field(default_factory=dict)
    # The pod ends: what has not begun never will.
    is_given_up: bool = False
    # The last word on each container's devices; it outlives their release.
    allocated: dict[str, list[Json]] = field(default_factory=dict)
    # The grace its containers were told to end in; None while nobody told them.
    stopping_grace: float | None = None
    # Why the kubelet itself ended or refused the pod.
    reason: str = ""
    message: str = ""

    def each(self) -> list[ContainerRun]:
        """All containers in the order they begin, those that initialise first."""
        return [*self.inits.values(), *self.containers.values()]

    @property
    def is_initialized(self) -> bool:
        """Every init container did its work."""
        return all(one.is_done for one in self.inits.values())

    def in_turn(self) -> list[ContainerRun]:
        """Whose turn it is: one init container after another, then all the others at once."""
        waiting = [one for one in self.inits.values() if not one.is_done]
        return waiting[:1] or list(self.containers.values())

    @property
    def has_begun(self) -> bool:
        """Whether those whose turn it is were ever started."""
        return any(one.started_at or one.last for one in self.in_turn())

    def give_up(self) -> None:
        """What waits to start when its pod ends is lost; what it was not the turn of just waits."""
        self.is_given_up = True
        for one in self.in_turn():
            is_reached = not one.is_init or one.last or one is next(iter(self.inits.values()))
            if is_reached and one.started_at is None and one.exit is None:
                one.is_lost = True

    @property
    def is_over(self) -> bool:
        """No container runs or will run."""
        if any(one.is_running for one in self.each()):
            return False
        return self.is_given_up or all(one.is_over for one in self.in_turn())


def new_run(pod: Json, *, key: Key, at: datetime) -> PodRun:
    """A pod that has just come to its node."""
    given = spec(pod)
    calm = INITIALIZING if given.get("initContainers") else CREATING
    groups = [
        {
            one["name"]: ContainerRun(one["name"], one, waiting=calm, calm=calm, is_init=is_init)
            for one in given.get(group) or []
        }
        for group, is_init in (("containers", False), ("initContainers", True))
    ]
    return PodRun(uid_of(pod), key, "", at, containers=groups[0], inits=groups[1])


def read_back(pod: Json, *, key: Key) -> PodRun:
    """The run a status tells of, for a kubelet that comes back."""
    told = status(pod)
    run = new_run(pod, key=key, at=parse(told["startTime"]))
    run.ip = told.get("podIP") or ""
    run.reason, run.message = told.get("reason") or "", told.get("message") or ""
    for group, runs in (
        ("containerStatuses", run.containers),
        ("initContainerStatuses", run.inits),
    ):
        for container in told.get(group) or []:
            if container["name"] in runs:
                _read_container(runs[container["name"]], container)
                run.allocated[container["name"]] = container.get("allocatedResourcesStatus") or []
    run.is_given_up = told.get("phase") in ("Succeeded", "Failed")
    if run.has_begun:
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
        run.waiting = state["waiting"].get("reason") or run.calm
        run.message = state["waiting"].get("message") or ""


def _read_end(run: ContainerRun, ended: Json) -> None:
    run.waiting = ""
    if not ended.get("finishedAt"):
        run.is_lost = True
        return
    run.started_at = parse(ended["startedAt"])
    at = parse(ended["finishedAt"])
    run.exit = Exit(ended["exitCode"], at, ended["reason"], ended.get("message") or "")
