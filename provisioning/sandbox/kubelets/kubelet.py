"""One node's kubelet: it admits the pods bound to its node, runs them, and ends them.

Level-triggered like the real one: a change of a pod, a finished pull or a container's
exit only asks for a `sync`, which looks at everything again and does what is next.
"""

from provisioning.sandbox import deleting, events
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.containers.runtime import Launch, Runtime
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.kinds import PODS
from provisioning.sandbox.kubelets import runs, statuses
from provisioning.sandbox.kubelets.devices import NodeDevices, TooFewDevices
from provisioning.sandbox.kubelets.images import NodeImages
from provisioning.sandbox.kubelets.runs import ContainerRun, PodRun, Step
from provisioning.sandbox.objects import Json, is_deleting, metadata, spec, status, uid_of
from provisioning.sandbox.scheduling.amounts import is_finished
from provisioning.sandbox.store import Key, Stored

NAME = "kubelet"


class Kubelet:
    """Runs the pods of one node."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        node_name: str,
        number: int,
        devices: NodeDevices,
        images: NodeImages,
        runtime: Runtime,
    ) -> None:
        self.node_name = node_name
        self.devices = devices
        self.images = images
        self.host_ip = f"10.254.{number // 250}.{number % 250 + 1}"
        self.is_online = True
        self._cluster = cluster
        self._number = number
        self._runtime = runtime
        self._runs: dict[str, PodRun] = {}
        self._asked: set[Key] = set()
        self._next_ip = 2

    def ask(self, key: Key, *, delay: float | None = None) -> None:
        """Have a pod looked at soon, once for many reasons."""
        if key not in self._asked:
            self._asked.add(key)
            seconds = self._cluster.farm.delays.kubelet_sync if delay is None else delay
            self._cluster.timers.after(seconds, lambda: self._answer(key))

    def _answer(self, key: Key) -> None:
        self._asked.discard(key)
        if self.is_online:
            self.sync(key)

    def forget(self, uid: str) -> None:
        """The pod is gone from the API: end whatever still runs of it."""
        run = self._runs.pop(uid, None)
        for container in run.each() if run else []:
            self._runtime.forget(container.container_id)
        self.devices.release(uid)

    def sync(self, key: Key) -> None:
        stored = self._cluster.store.get(PODS, *key)
        if stored is None or spec(stored.object).get("nodeName") != self.node_name:
            return
        run = self._runs.get(uid_of(stored.object)) or self._meet(stored)
        if run is None:
            return
        if is_deleting(stored.object):
            self._stop(stored, run)
        elif not is_finished(stored.object):
            self._advance(stored, run)

    # Meeting a pod

    def _meet(self, stored: Stored) -> PodRun | None:
        """A pod this kubelet has not seen: admit it, or take it over from its status."""
        pod = stored.object
        if status(pod).get("startTime"):
            run = runs.read_back(pod, key=stored.key)
            self._runs[run.uid] = run
            self._take_over(stored, run)
            return run
        run = runs.new_run(pod, key=stored.key, ip="", at=self._cluster.now())
        self._runs[run.uid] = run
        if not is_deleting(pod):
            self._admit(stored, run)
        return run

    def _take_over(self, stored: Stored, run: PodRun) -> None:
        for container in run.each():
            if container.is_running:
                self._runtime.adopt(self._launch(stored.object, container), self._on_exit(run))

    def _admit(self, stored: Stored, run: PodRun) -> None:
        try:
            self.devices.allocate(stored.object)
        except TooFewDevices as error:
            self._reject(stored, run, "UnexpectedAdmissionError", f"Allocate failed due to {error}, which is unexpected")
            return
        self._write(stored, run)

    def _reject(self, stored: Stored, run: PodRun, reason: str, message: str) -> None:
        run.reason, run.message = reason, f"Pod was rejected: {message}"
        run.containers.clear()
        self._write(stored, run)
        self._tell(stored, reason, message, type_="Warning")

    # Running it

    def _advance(self, stored: Stored, run: PodRun) -> None:
        if run.step is Step.PULLING:
            self._pull(stored, run)
        elif run.step is Step.STARTING:
            self._start(stored, run)
        else:
            self._note_exits(stored, run)

    def _pull(self, stored: Stored, run: PodRun) -> None:
        for container in run.each():
            self.images.want(stored, container, wake=lambda: self.ask(run.key, delay=0.0))
        if all(self.images.has(container) for container in run.each()):
            run.step = Step.STARTING
            self.ask(run.key, delay=self._cluster.farm.delays.container_start)
        self._write(stored, run)

    def _start(self, stored: Stored, run: PodRun) -> None:
        run.ip = run.ip or self._new_ip()
        run.step = Step.STARTED
        at = self._cluster.now()
        for container in run.each():
            container.begin(at)
            where = f"spec.containers{{{container.name}}}"
            self._tell(stored, "Created", f"Created container: {container.name}", where=where)
            self._runtime.start(self._launch(stored.object, container), self._on_exit(run))
            self._tell(stored, "Started", f"Started container {container.name}", where=where)
        self._write(stored, run)

    def _launch(self, pod: Json, container: ContainerRun) -> Launch:
        assert container.started_at is not None
        return Launch(
            container_id=container.container_id,
            pod=pod,
            container=container.container,
            started_at=container.started_at,
            environment=self.devices.environment(uid_of(pod), container.name),
        )

    def _on_exit(self, run: PodRun):  # type: ignore[no-untyped-def]
        return lambda container_id: self.ask(run.key, delay=0.0)

    def _note_exits(self, stored: Stored, run: PodRun) -> None:
        for container in run.each():
            if container.is_running:
                container.exit = self._runtime.exit_of(container.container_id)
        self._write(stored, run)

    # Ending it

    def _stop(self, stored: Stored, run: PodRun) -> None:
        grace = float(metadata(stored.object).get("deletionGracePeriodSeconds") or 0)
        if run.stopping_grace is None or grace < run.stopping_grace:
            self._send_stop(stored, run, grace)
        for container in run.each():
            if container.is_running:
                container.exit = self._runtime.exit_of(container.container_id)
        if any(container.is_running for container in run.each()):
            return
        stored = self._write(stored, run)
        self.devices.release(run.uid)
        self._finish(stored)

    def _send_stop(self, stored: Stored, run: PodRun, grace: float) -> None:
        first = run.stopping_grace is None
        run.stopping_grace = grace
        for container in run.each():
            if container.is_running:
                if first:
                    where = f"spec.containers{{{container.name}}}"
                    self._tell(stored, "Killing", f"Stopping container {container.name}", where=where)
                self._runtime.stop(container.container_id, grace_seconds=grace)

    def _finish(self, stored: Stored) -> None:
        """The kubelet's last word: grace 0, for exactly this pod."""
        namespace, name = stored.key
        if metadata(stored.object).get("deletionGracePeriodSeconds") == 0 and metadata(stored.object).get("finalizers"):
            return
        deleting.delete(
            self._cluster,
            kind=PODS,
            namespace=namespace,
            name=name,
            options=DeleteOptions(grace_seconds=0, preconditions={"uid": uid_of(stored.object)}),
        )

    # Telling

    def _write(self, stored: Stored, run: PodRun) -> Stored:
        current = self._cluster.store.get(PODS, *stored.key) or stored
        self._note_devices(run)
        told = statuses.pod_status(
            current.object, run, host_ip=self.host_ip, at=self._cluster.now()
        )
        if is_finished({"status": told}):
            self.devices.release(run.uid)
        if told == status(current.object):
            return current
        return self._cluster.store.put(PODS, {**current.object, "status": told})

    def _note_devices(self, run: PodRun) -> None:
        for container in run.each():
            if held := self.devices.resource_status(run.uid, container.name):
                run.allocated[container.name] = held

    def _tell(
        self, stored: Stored, reason: str, message: str, *, where: str = "", type_: events.Type = "Normal"
    ) -> None:
        events.record(
            self._cluster, about=stored, reason=reason, message=message, source=NAME,
            host=self.node_name, type_=type_, field_path=where,
        )  # fmt: skip

    def _new_ip(self) -> str:
        self._next_ip += 1
        return f"10.{100 + self._number}.{self._next_ip // 250 % 250}.{self._next_ip % 250 + 1}"
