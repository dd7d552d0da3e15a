"""The quota controller: keeps `status.used` of every quota true to what its namespace holds.

Admission counts up at once; what ends is counted down here, a moment later.
"""

from provisioning.sandbox.admission import usage
from provisioning.sandbox.admission.usage import Usage
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.keeping.namespaces import CONTENT
from provisioning.sandbox.kinds import EVENTS, LEASES, PODS, RESOURCE_QUOTAS, Kind
from provisioning.sandbox.objects import Json, spec, uid_of
from provisioning.sandbox.store import Change, Stored

# Kinds that come in numbers and that nobody limits.
_UNCOUNTED = (EVENTS, LEASES)
COUNTED: tuple[Kind, ...] = tuple(kind for kind in CONTENT if kind not in _UNCOUNTED)


class QuotaKeeper:
    """Counts what the namespaces of one cluster use."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._of_object: dict[str, Usage] = {}
        self._of_namespace: dict[str, Usage] = {}
        self._asked: set[str] = set()
        for kind in COUNTED:
            for stored in cluster.store.all(kind):
                self._count(stored, usage.of(kind, stored.object, at=cluster.now()))
            cluster.store.listen(kind, self._on_change)
        for stored in cluster.store.all(RESOURCE_QUOTAS):
            self._ask(stored.key[0])

    def _on_change(self, change: Change) -> None:
        stored = change.now
        if stored.kind is RESOURCE_QUOTAS and _has_new_spec(change):
            self._ask(stored.key[0])
        if change.type == "DELETED":
            self._count(stored, {})
            self._ask(stored.key[0])
        elif change.before is None or _matters(change.before.object) != _matters(stored.object):
            self._count(stored, usage.of(stored.kind, stored.object, at=self._cluster.now()))
            if self._ends(change):
                self._ask(stored.key[0])

    def _ends(self, change: Change) -> bool:
        """Whether a pod is over with this change.

        The real controller asks both versions at the time it hears of them: a pod that
        outlived its grace was over before, so its end frees nothing until it is gone.
        """
        at = self._cluster.now()
        return (
            change.now.kind is PODS
            and change.before is not None
            and not usage.is_over(change.before.object, at=at)
            and usage.is_over(change.now.object, at=at)
        )

    def _count(self, stored: Stored, now: Usage) -> None:
        namespace, uid = stored.key[0], uid_of(stored.object)
        before = self._of_object.pop(uid, {})
        if now:
            self._of_object[uid] = now
        total = self._of_namespace.setdefault(namespace, {})
        for name in {*before, *now}:
            total[name] = total.get(name, 0) + now.get(name, 0) - before.get(name, 0)

    def _ask(self, namespace: str) -> None:
        if namespace not in self._asked:
            self._asked.add(namespace)
            delay = self._cluster.farm.delays.quota_sync
            self._cluster.timers.after(delay, lambda: self._sync(namespace))

    def _sync(self, namespace: str) -> None:
        self._asked.discard(namespace)
        total = self._of_namespace.get(namespace, {})
        for stored in self._cluster.store.all(RESOURCE_QUOTAS, namespace):
            hard = spec(stored.object).get("hard") or {}
            used = usage.printed({name: total.get(name, 0) for name in hard})
            told = {"hard": hard, "used": used}
            if told != stored.object.get("status"):
                self._cluster.store.put(RESOURCE_QUOTAS, {**stored.object, "status": told})


def _has_new_spec(change: Change) -> bool:
    return change.before is None or spec(change.before.object) != spec(change.now.object)


def _matters(obj: Json) -> tuple[object, ...]:
    """The part of an object that its use can depend on."""
    meta = obj["metadata"]
    return (
        obj.get("spec"),
        (obj.get("status") or {}).get("phase"),
        meta.get("deletionTimestamp"),
        meta.get("deletionGracePeriodSeconds"),
    )
