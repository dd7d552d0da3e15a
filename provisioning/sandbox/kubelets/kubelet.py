"""One node's kubelet: it meets the pods bound to its node and steps them on.

Level-triggered like the real one: a change of a pod, a finished pull or a container's
exit only asks for a look, which does whatever is next.
"""

from collections.abc import Callable

from provisioning.sandbox.kinds import PODS
from provisioning.sandbox.kubelets import runs
from provisioning.sandbox.kubelets.ground import NodeGround
from provisioning.sandbox.kubelets.worker import PodWorker
from provisioning.sandbox.objects import is_deleting, spec, status, uid_of
from provisioning.sandbox.store import Change, Key, Stored


class Kubelet:
    """Runs the pods of one node."""

    def __init__(self, ground: NodeGround) -> None:
        self.ground = ground
        self.is_online = True
        self._workers: dict[str, PodWorker] = {}
        self._asked: set[Key] = set()

    @property
    def name(self) -> str:
        """The node's name."""
        return self.ground.name

    def hear(self, change: Change) -> None:
        """A pod bound to this node was written."""
        if change.type == "DELETED":
            self.forget(uid_of(change.now.object))
        elif _needs_kubelet(change):
            self.ask(change.now.key, self.ground.cluster.farm.delays.kubelet_sync)

    def ask(self, key: Key, delay: float = 0.0) -> None:
        """Have a pod looked at, once for many reasons."""
        if key not in self._asked:
            self._asked.add(key)
            self.ground.cluster.timers.after(delay, lambda: self._look(key))

    def _look(self, key: Key) -> None:
        self._asked.discard(key)
        stored = self.ground.cluster.store.get(PODS, *key)
        # A kubelet that is cut off goes on with what it runs, but hears and tells nothing.
        if not self.is_online or stored is None:
            return
        if spec(stored.object).get("nodeName") == self.name:
            self.worker_of(stored).step(stored)

    def worker_of(self, stored: Stored) -> PodWorker:
        """The worker of a pod; one that is new here is admitted or taken over first."""
        uid = uid_of(stored.object)
        if uid not in self._workers:
            self._workers[uid] = self._meet(stored)
        return self._workers[uid]

    def _meet(self, stored: Stored) -> PodWorker:
        pod, key = stored.object, stored.key
        if status(pod).get("startTime"):
            worker = PodWorker(self.ground, runs.read_back(pod, key=key), self._asker(key))
            worker.take_over(stored)
            return worker
        run = runs.new_run(pod, key=key, at=self.ground.cluster.now())
        worker = PodWorker(self.ground, run, self._asker(key))
        if not is_deleting(pod):
            worker.admit(stored)
        return worker

    def _asker(self, key: Key) -> Callable[[float], None]:
        return lambda delay: self.ask(key, delay)

    def forget(self, uid: str) -> None:
        """The pod is gone from the API: end whatever still runs of it."""
        worker = self._workers.pop(uid, None)
        for container in worker.run.each() if worker else []:
            if container.is_running and self.ground.runtime.exit_of(container.container_id) is None:
                at = self.ground.cluster.now()
                self.ground.record.ended(container.container_id, at=at, reason="PodGone")
            self.ground.runtime.forget(container.container_id)
            self.ground.images.forget(container)
        self.ground.devices.release(uid)

    def uids(self) -> set[str]:
        """The pods this kubelet knows."""
        return set(self._workers)

    def lose_containers(self) -> None:
        """The machine went down and up: whatever ran is over, and nobody knows how."""
        for worker in self._workers.values():
            for container in worker.run.each():
                self.ground.runtime.end(container.container_id, code=255, reason="Unknown")

    def resume(self, pods: list[Stored]) -> None:
        """Take over the node's pods, after a restart or an absence."""
        self.is_online = True
        self.ground.devices.restore(stored.object for stored in pods)
        for stored in pods:
            self.ask(stored.key)


def _needs_kubelet(change: Change) -> bool:
    """Only what somebody else wrote: a kubelet's own status must not wake it."""
    if change.before is None:
        return True
    before, now = change.before.object, change.now.object
    return bool(
        before["spec"] != now["spec"]
        or before["metadata"].get("deletionTimestamp") != now["metadata"].get("deletionTimestamp")
        or before["metadata"].get("deletionGracePeriodSeconds")
        != now["metadata"].get("deletionGracePeriodSeconds")
    )
