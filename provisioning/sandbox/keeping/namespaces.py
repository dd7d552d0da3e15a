"""The namespace controller: a deleted namespace is emptied, then let go.

It also gives each new namespace its `default` service account, a moment after the
namespace, as the real controllers do.
"""

from collections import Counter
from collections.abc import Iterable

from provisioning.sandbox import deleting
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.conditions import merged_conditions
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.kinds import KINDS, NAMESPACES, SERVICE_ACCOUNTS, Kind
from provisioning.sandbox.objects import Json, is_deleting, metadata, spec, status, with_spec
from provisioning.sandbox.store import Change, Stored, new_uid
from provisioning.sandbox.times import in_seconds

CONTENT: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind.namespaced)


class NamespaceKeeper:
    """Empties and removes the namespaces of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._asked: set[str] = set()
        cluster.store.listen(NAMESPACES, self._on_namespace)
        for kind in CONTENT:
            cluster.store.listen(kind, self._on_content)
        for stored in cluster.store.all(NAMESPACES):
            self._look(stored)

    def _on_namespace(self, change: Change) -> None:
        if change.type != "DELETED":
            self._look(change.now)

    def _look(self, stored: Stored) -> None:
        name = stored.key[1]
        if is_deleting(stored.object):
            self._ask(name)
        elif self._cluster.store.get(SERVICE_ACCOUNTS, name, "default") is None:
            delay = self._cluster.farm.delays.service_account
            self._cluster.timers.after(delay, lambda: self._give_account(name))

    def _on_content(self, change: Change) -> None:
        if change.type == "DELETED":
            namespace = change.now.key[0]
            found = self._cluster.store.get(NAMESPACES, "", namespace)
            if found and is_deleting(found.object):
                self._ask(namespace)

    def _ask(self, name: str) -> None:
        if name not in self._asked:
            self._asked.add(name)
            self._cluster.timers.after(
                self._cluster.farm.delays.namespace_sync, lambda: self._empty(name)
            )

    def _empty(self, name: str) -> None:
        self._asked.discard(name)
        store = self._cluster.store
        namespace = store.get(NAMESPACES, "", name)
        if namespace is None or not is_deleting(namespace.object):
            return
        for kind in CONTENT:
            for stored in store.all(kind, name):
                self._delete(stored)
        left = [stored for kind in CONTENT for stored in store.all(kind, name)]
        if left:
            self._say_what_is_left(namespace, left)
        else:
            self._let_go(namespace)

    def _delete(self, stored: Stored) -> None:
        if is_deleting(stored.object):
            return
        namespace, name = stored.key
        deleting.delete(
            self._cluster, kind=stored.kind, namespace=namespace, name=name, options=DeleteOptions()
        )

    def _let_go(self, namespace: Stored) -> None:
        kept = [
            one for one in spec(namespace.object).get("finalizers") or [] if one != "kubernetes"
        ]
        released = with_spec(namespace.object, finalizers=kept or None)
        if deleting.finish_if_released(self._cluster.store, namespace, released) is None:
            self._cluster.store.put(NAMESPACES, released)

    def _say_what_is_left(self, namespace: Stored, left: list[Stored]) -> None:
        conditions = merged_conditions(
            status(namespace.object).get("conditions") or [],
            _conditions(left),
            at=self._cluster.now(),
        )
        told = {"phase": "Terminating", "conditions": conditions}
        if told != status(namespace.object):
            self._cluster.store.put(NAMESPACES, {**namespace.object, "status": told})

    def _give_account(self, name: str) -> None:
        store = self._cluster.store
        namespace = store.get(NAMESPACES, "", name)
        if namespace is None or is_deleting(namespace.object):
            return
        if store.get(SERVICE_ACCOUNTS, name, "default") is None:
            meta = {"name": "default", "namespace": name, "uid": new_uid()}
            meta["creationTimestamp"] = in_seconds(self._cluster.now())
            store.put(SERVICE_ACCOUNTS, {"metadata": meta})


def _conditions(left: list[Stored]) -> list[Json]:
    counts = _counted(f"{stored.kind.qualified or stored.kind.plural}." for stored in left)
    remaining = _told(counts, "has", "resource instances")
    finalizers = _counted(
        finalizer
        for stored in left
        for finalizer in metadata(stored.object).get("finalizers") or []
    )
    found: list[Json] = [
        {
            "type": "NamespaceDeletionDiscoveryFailure", "status": "False",
            "reason": "ResourcesDiscovered", "message": "All resources successfully discovered",
        },
        {
            "type": "NamespaceDeletionGroupVersionParsingFailure", "status": "False",
            "reason": "ParsedGroupVersions", "message": "All legacy kube types successfully parsed",
        },
        {
            "type": "NamespaceDeletionContentFailure", "status": "False",
            "reason": "ContentDeleted",
            "message": "All content successfully deleted, may be waiting on finalization",
        },
        {
            "type": "NamespaceContentRemaining", "status": "True",
            "reason": "SomeResourcesRemain",
            "message": f"Some resources are remaining: {remaining}",
        },
    ]  # fmt: skip
    if finalizers:
        told = _told(finalizers, "in", "resource instances")
        found.append({
            "type": "NamespaceFinalizersRemaining", "status": "True",
            "reason": "SomeFinalizersRemain",
            "message": f"Some content in the namespace has finalizers remaining: {told}",
        })  # fmt: skip
    return found


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names))


def _told(counts: dict[str, int], verb: str, what: str) -> str:
    return ", ".join(f"{name} {verb} {count} {what}" for name, count in sorted(counts.items()))
