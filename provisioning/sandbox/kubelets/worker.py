"""One pod on its node, from admission to its last container's end.

`step` looks at the pod as it stands in the API and does what is next; whatever will
matter later (a pull, an exit, a deadline) asks the kubelet for another step.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from provisioning.sandbox import deleting
from provisioning.sandbox.containers.runtime import Launch
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.kinds import PODS
from provisioning.sandbox.kubelets import giving, restarting, statuses
from provisioning.sandbox.kubelets.devices import TooFewDevices
from provisioning.sandbox.kubelets.ground import NodeGround
from provisioning.sandbox.kubelets.runs import ContainerRun, PodRun, Step
from provisioning.sandbox.objects import Json, is_deleting, metadata, spec, status, uid_of
from provisioning.sandbox.scheduling.amounts import is_finished
from provisioning.sandbox.store import Stored

Ask = Callable[[float], None]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RETRY_SECONDS = 1.0
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


class PodWorker:
    """Runs one pod."""

    def __init__(self, ground: NodeGround, run: PodRun, ask: Ask) -> None:
        self.run = run
        self._ground = ground
        self._ask = ask

    # Meeting the pod

    def admit(self, stored: Stored) -> None:
        """Give the pod its devices, or refuse it as the real kubelet does."""
        try:
            self._ground.devices.allocate(stored.object)
        except TooFewDevices as error:
            why = f"Allocate failed due to {error}, which is unexpected"
            self._refuse(stored, "UnexpectedAdmissionError", why)
            return
        self.write(stored)
        self._set_deadline(stored)

    def take_over(self, stored: Stored) -> None:
        """Go on with a pod that ran before this kubelet was there."""
        for container in self.run.each():
            if container.started_at is not None:
                launch = self._launch(stored.object, container)
                held = self._ground.devices.held_by(self.run.uid, container.name)
                self._ground.record.taken_over(
                    launch, node=self._ground.name, devices=held, ended=container.exit
                )
                self._ground.runtime.adopt(launch, self._on_exit, exit_=container.exit)
        self._set_deadline(stored)

    def _refuse(self, stored: Stored, reason: str, why: str) -> None:
        self.run.reason, self.run.message = reason, f"Pod was rejected: {why}"
        self.run.containers.clear()
        self.run.inits.clear()
        self.write(stored)
        self._ground.tell(stored, reason, why, type_="Warning")

    def _set_deadline(self, stored: Stored) -> None:
        seconds = spec(stored.object).get("activeDeadlineSeconds")
        if seconds is not None:
            active = self._ground.cluster.now() - self.run.admitted_at
            left = float(seconds) - active.total_seconds()
            self._ground.cluster.timers.after(left, lambda: self._ask(0.0))

    # Running it

    def step(self, stored: Stored) -> None:
        """Do what is next for the pod."""
        if is_deleting(stored.object):
            self._stop(stored)
        elif is_finished(stored.object):
            return
        elif self._is_past_deadline(stored.object):
            self._end(stored, "DeadlineExceeded", DEADLINE_MESSAGE)
        elif self.run.step is Step.PULLING:
            self._pull(stored)
        elif self.run.step is Step.STARTING:
            self._start_all(stored)
        else:
            self._follow(stored)

    def _pull(self, stored: Stored) -> None:
        images, containers = self._ground.images, self.run.in_turn()
        for container in containers:
            images.want(stored, container, wake=lambda: self._ask(0.0))
        if all(images.has(container) for container in containers):
            self.run.step = Step.STARTING
            self._ask(self._ground.cluster.farm.delays.container_start)
        else:
            self.run.ip = self.run.ip or self._ground.new_pod_ip()
            self.write(stored)

    def _start_all(self, stored: Stored) -> None:
        containers = self.run.in_turn()
        if not all(self._is_provided(stored, container) for container in containers):
            self.write(stored)
            self._ask(RETRY_SECONDS)
            return
        self.run.step = Step.STARTED
        self.run.ip = self.run.ip or self._ground.new_pod_ip()
        for container in containers:
            self._start(stored, container)
        self.write(stored)
        if any(container.exit for container in containers):
            self._ask(0.0)

    def _is_provided(self, stored: Stored, container: ContainerRun) -> bool:
        """Whether what the container is to be given is there; says so where it is not."""
        store = self._ground.cluster.store
        try:
            giving.find(store, stored.object, container.container)
        except giving.CannotMount as error:
            self._ground.tell(stored, "FailedMount", str(error), type_="Warning")
            return False
        except giving.CannotConfigure as error:
            container.waiting, container.message = "CreateContainerConfigError", str(error)
            where = container.field_path
            self._ground.tell(stored, "Failed", f"Error: {error}", where=where, type_="Warning")
            return False
        return True

    def _start(self, stored: Stored, container: ContainerRun) -> None:
        container.begin(self._ground.cluster.now())
        where = container.field_path
        self._ground.tell(stored, "Created", "Container created", where=where)
        launch = self._launch(stored.object, container)
        self._ground.runtime.start(launch, self._on_exit)
        container.exit = self._ground.runtime.exit_of(container.container_id)
        if container.exit and container.exit.reason == "StartError":
            # The real kubelet prints the beginning of time for what never began.
            container.started_at = EPOCH
            message = f"Error: {container.exit.message}"
            self._ground.tell(stored, "Failed", message, where=where, type_="Warning")
        else:
            held = self._ground.devices.held_by(self.run.uid, container.name)
            self._ground.record.begun(launch, node=self._ground.name, devices=held)
            self._ground.tell(stored, "Started", "Container started", where=where)

    def _launch(self, pod: Json, container: ContainerRun) -> Launch:
        assert container.started_at is not None  # noqa: S101
        return Launch(
            container_id=container.container_id,
            pod=pod,
            container=container.container,
            started_at=container.started_at,
            environment=self._ground.devices.environment(uid_of(pod), container.name),
            given=giving.find_some(self._ground.cluster.store, pod, container.container),
        )

    def _on_exit(self, container_id: str) -> None:
        if exit_ := self._ground.runtime.exit_of(container_id):
            self._ground.record.ended(container_id, at=exit_.at, reason=exit_.reason)
        self._ask(0.0)

    def _follow(self, stored: Stored) -> None:
        """Note the ends of containers, and start again what the policy wants back."""
        self._note_exits()
        policy = str(spec(stored.object).get("restartPolicy"))
        for container in self.run.in_turn():
            if container.exit and restarting.restarts(
                policy, container.exit.code, is_init=container.is_init
            ):
                self._plan_restart(stored, container)
        if not self.run.has_begun:
            self.run.step = Step.PULLING
            self._ask(0.0)
        self.write(stored)

    def _note_exits(self) -> None:
        for container in self.run.each():
            if container.is_running:
                container.exit = self._ground.runtime.exit_of(container.container_id)

    def _plan_restart(self, stored: Stored, container: ContainerRun) -> None:
        container.last = statuses.state_of(container)
        pause = restarting.pause_before(container.restarts + 1)
        container.exit = container.started_at = None
        container.waiting = "CrashLoopBackOff"
        namespace, name = stored.key
        who = f"container={container.name} pod={name}_{namespace}({self.run.uid})"
        container.message = f"back-off {restarting.shown(pause)} restarting failed {who}"
        if pause:
            pod = f"{name}_{namespace}({self.run.uid})"
            told = f"Back-off restarting failed container {container.name} in pod {pod}"
            self._ground.tell(stored, "BackOff", told, where=container.field_path, type_="Warning")
        self._ground.cluster.timers.after(pause, lambda: self._restart(container))

    def _restart(self, container: ContainerRun) -> None:
        stored = self._ground.cluster.store.get(PODS, *self.run.key)
        if stored is None or uid_of(stored.object) != self.run.uid or is_deleting(stored.object):
            return
        if not self._is_provided(stored, container):
            self.write(stored)
            self._ground.cluster.timers.after(RETRY_SECONDS, lambda: self._restart(container))
            return
        container.restarts += 1
        self._start(stored, container)
        self.write(stored)
        self._ask(0.0)

    # Ending it

    def _is_past_deadline(self, pod: Json) -> bool:
        seconds = spec(pod).get("activeDeadlineSeconds")
        active = self._ground.cluster.now() - self.run.admitted_at
        return seconds is not None and active.total_seconds() >= float(seconds)

    def evict(self, stored: Stored, why: str) -> None:
        """End the pod because the node needs what it uses."""
        self._ground.tell(stored, "Evicted", why, type_="Warning")
        self._end(stored, "Evicted", why)

    def _end(self, stored: Stored, reason: str, message: str) -> None:
        """Stop the containers; the pod turns Failed with the reason once they are down."""
        if not self.run.reason:
            self.run.reason, self.run.message = reason, message
            grace = float(spec(stored.object).get("terminationGracePeriodSeconds") or 0)
            self._ground.tell(stored, reason, message)
            self._send_stop(stored, grace)
        self._note_exits()
        self.run.give_up()
        self.write(stored)

    def _stop(self, stored: Stored) -> None:
        grace = float(metadata(stored.object).get("deletionGracePeriodSeconds") or 0)
        if self.run.stopping_grace is None or grace < self.run.stopping_grace:
            self._send_stop(stored, grace)
        self._note_exits()
        self.run.give_up()
        stored = self.write(stored)
        if self.run.is_over:
            self._ground.devices.release(self.run.uid)
            self._finish(stored)

    def _send_stop(self, stored: Stored, grace: float) -> None:
        is_first = self.run.stopping_grace is None
        self.run.stopping_grace = grace
        for container in self.run.each():
            if container.is_running:
                if is_first:
                    text = f"Stopping container {container.name}"
                    self._ground.tell(stored, "Killing", text, where=container.field_path)
                self._ground.runtime.stop(container.container_id, grace_seconds=grace)

    def _finish(self, stored: Stored) -> None:
        """The kubelet's last word: grace 0, for exactly this pod."""
        meta = metadata(stored.object)
        if meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds"):
            return
        namespace, name = stored.key
        deleting.delete(
            self._ground.cluster,
            kind=PODS,
            namespace=namespace,
            name=name,
            options=DeleteOptions(grace_seconds=0, preconditions={"uid": self.run.uid}),
        )

    # Telling

    def write(self, stored: Stored) -> Stored:
        """Put the pod's status into the API, if it says anything new."""
        store = self._ground.cluster.store
        current = store.get(PODS, *stored.key)
        if current is None or uid_of(current.object) != self.run.uid:
            return stored
        self._note_devices()
        told = statuses.pod_status(
            current.object, self.run, host_ip=self._ground.host_ip, at=self._ground.cluster.now()
        )
        if told["phase"] in ("Succeeded", "Failed"):
            self._ground.devices.release(self.run.uid)
        if told == status(current.object):
            return current
        return store.put(PODS, {**current.object, "status": told})

    def _note_devices(self) -> None:
        # The kubelet tells nothing of the devices that init containers borrow.
        for container in self.run.containers.values():
            held = self._ground.devices.resource_status(self.run.uid, container.name)
            if held:
                self.run.allocated[container.name] = held
