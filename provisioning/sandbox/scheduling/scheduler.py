"""The scheduler: pods without a node get one, or a condition that says why not.

Fed by the store, it works through a queue on the cluster's timers; what did not fit
is tried again when something is freed or a node changes.
"""

from collections.abc import Iterator

from provisioning.sandbox import events
from provisioning.sandbox.claims import allocating
from provisioning.sandbox.claims.allocating import Wish
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.conditions import with_condition
from provisioning.sandbox.kinds import (
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from provisioning.sandbox.objects import Json, is_deleting, namespace_of, spec, status
from provisioning.sandbox.scheduling import amounts, binding, fitting
from provisioning.sandbox.scheduling.fitting import Misfit
from provisioning.sandbox.scheduling.occupancy import NodeLoad, Occupancy
from provisioning.sandbox.storage import keeper, matching
from provisioning.sandbox.store import Change, Key, Stored

NAME = "default-scheduler"


class Scheduler:
    """Binds the pods of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._occupancy = Occupancy(cluster.store)
        self._waiting: dict[Key, None] = {}
        self._retry_is_set = False
        cluster.store.listen(PODS, self._on_pod)
        cluster.store.listen(NODES, self._on_node)
        cluster.store.listen(RESOURCE_CLAIMS, self._on_devices)
        cluster.store.listen(RESOURCE_SLICES, self._on_devices)
        for kind in (PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES):
            cluster.store.listen(kind, lambda change: self._retry())
        for stored in cluster.store.all(PODS):
            if _wants_node(stored.object):
                self._queue(stored.key)

    def _on_pod(self, change: Change) -> None:
        if change.type == "ADDED" and _wants_node(change.now.object):
            self._queue(change.now.key)
        elif _freed(change):
            self._retry()

    def _on_devices(self, change: Change) -> None:
        # A claim made, devices given back, a driver that publishes anew.
        if change.now.kind is RESOURCE_SLICES or not status(change.now.object).get("reservedFor"):
            self._retry()

    def _on_node(self, change: Change) -> None:
        before = change.before.object if change.before else {}
        now = change.now.object
        if spec(before) != spec(now) or amounts.offered(before) != amounts.offered(now):
            self._retry()

    def _queue(self, key: Key) -> None:
        delay = self._cluster.farm.delays.schedule
        self._cluster.timers.after(delay, lambda: self._schedule(key))

    def _retry(self) -> None:
        """Look at everything that waits once more, soon, and once for many changes."""
        if self._waiting and not self._retry_is_set:
            self._retry_is_set = True
            self._cluster.timers.after(
                self._cluster.farm.delays.retry_unschedulable, self._retry_waiting
            )

    def _retry_waiting(self) -> None:
        self._retry_is_set = False
        hopeless: set[str] = set()
        for key in list(self._waiting):
            stored = self._cluster.store.get(PODS, *key)
            # Pods that ask for the same cannot fit where one of them just did not.
            signature = _signature(stored.object) if stored else ""
            if signature not in hopeless and not self._schedule(key):
                hopeless.add(signature)

    def _schedule(self, key: Key) -> bool:
        """Bind one pod; answers False when no node takes it."""
        stored = self._cluster.store.get(PODS, *key)
        if stored is None or not _wants_node(stored.object):
            self._waiting.pop(key, None)
            return True
        if why := matching.obstacle(self._cluster, stored.object):
            self._waiting[key] = None
            # What the scheduler of 1.36 adds where no preemption was tried.
            self._say(
                stored, f"0/{len(self._occupancy.nodes())} nodes are available: {why}. not found"
            )
            return False
        try:
            wish = allocating.wish_of(self._cluster, stored.object)
        except allocating.NotYet:
            # Not looked at before its claims are made, as a pod behind a gate.
            self._waiting[key] = None
            return True
        except allocating.NoSuchClass as error:
            self._waiting[key] = None
            nodes = len(self._occupancy.nodes())
            self._say(stored, fitting.refused_outright(str(error), nodes=nodes))
            return False
        fits, misfits = self._sorted_out(stored.object, wish)
        if not fits:
            self._waiting[key] = None
            self._refuse(stored, misfits, wish)
            return False
        self._waiting.pop(key, None)
        # Least loaded first, as the default scheduler spreads; names decide between equals.
        best = max(fits, key=lambda load: (load.emptiness, load.name))
        if spec(stored.object).get("resourceClaims"):
            allocating.allocate(self._cluster, wish, node=best.name)
        self._bind(stored, best)
        return True

    def _sorted_out(self, pod: Json, wish: Wish) -> tuple[list[NodeLoad], list[Misfit]]:
        wanted = amounts.requested(pod)
        fits: list[NodeLoad] = []
        misfits: list[Misfit] = []
        is_in_vain = matching.lacks_volume(self._cluster, pod)
        for load in self._occupancy.nodes():
            if is_in_vain:
                misfits.append(Misfit((matching.NO_VOLUME,), is_hopeless=True))
                continue
            found = fitting.misfit(pod, wanted, load) or self._claimless(wish, load)
            if found:
                misfits.append(found)
            else:
                fits.append(load)
        return fits, misfits

    def _claimless(self, wish: Wish, load: NodeLoad) -> Misfit | None:
        """Why a node that would do has not the devices that are claimed."""
        if not wish.waiting and not wish.node:
            return None
        results = allocating.results_on(self._cluster, wish, node=load.name)
        return Misfit((allocating.CANNOT,), is_hopeless=True) if results is None else None

    def _bind(self, stored: Stored, load: NodeLoad) -> None:
        cluster = self._cluster
        keeper.bind_late(cluster, stored.object)
        now = binding.bind(cluster, stored, node=load.name)
        namespace, name = stored.key
        message = f"Successfully assigned {namespace}/{name} to {load.name}"
        events.record_action(
            cluster, about=now, action="Binding", reason="Scheduled", message=message, source=NAME
        )

    def _refuse(self, stored: Stored, misfits: list[Misfit], wish: Wish) -> None:
        claims = fitting.WAITING_CLAIMS if wish.waiting else fitting.NO_CLAIMS
        self._say(stored, fitting.sentence(misfits, claims=claims))

    def _say(self, stored: Stored, message: str) -> None:
        condition = binding.scheduled(
            stored.object, status="False", reason="Unschedulable", message=message
        )
        now = with_condition(stored.object, condition, at=self._cluster.now())
        if now is stored.object:
            return
        put = self._cluster.store.put(PODS, now)
        events.record_action(
            self._cluster, about=put, action="Scheduling", reason="FailedScheduling",
            message=message, source=NAME, type_="Warning",
        )  # fmt: skip


def _wants_node(pod: Json) -> bool:
    return not (
        spec(pod).get("nodeName")
        or is_deleting(pod)
        or spec(pod).get("schedulingGates")
        or spec(pod).get("schedulerName") != NAME
        or amounts.is_finished(pod)
    )


def _freed(change: Change) -> bool:
    if change.type == "DELETED":
        return True
    before = status(change.before.object).get("phase") if change.before else None
    return amounts.is_finished(change.now.object) and before not in ("Succeeded", "Failed")


def _signature(pod: Json) -> str:
    parts: Iterator[object] = (
        spec(pod).get(field)
        for field in ("nodeSelector", "affinity", "tolerations", "resourceClaims")
    )
    claims = [namespace_of(pod), *names] if (names := matching.claim_names(pod)) else []
    return repr((sorted(amounts.requested(pod).items()), claims, *parts))
