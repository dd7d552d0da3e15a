"""The claim controller: makes pods' claims from their templates, and takes claims back.

A claim made for a pod goes with it: as soon as the pod has ended it is given back and
deleted, whatever still holds the pod itself.
"""

from provisioning.sandbox import creating, deleting, errors, events
from provisioning.sandbox.claims.allocating import PROTECTION
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.creating import WriteOptions
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.kinds import PODS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from provisioning.sandbox.objects import (
    Json,
    is_deleting,
    metadata,
    name_of,
    namespace_of,
    spec,
    status,
    uid_of,
    with_metadata,
    with_status,
)
from provisioning.sandbox.scheduling.amounts import is_finished
from provisioning.sandbox.store import Change, Key, Stored

GROUP = "resource.k8s.io"
SOURCE = "resource_claim"
MANAGER = "kube-controller-manager"
POD_CLAIM = "resource.kubernetes.io/pod-claim-name"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


class ClaimKeeper:
    """Keeps the claims of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._pauses: dict[Key, float] = {}
        cluster.store.listen(PODS, self._on_pod)
        cluster.store.listen(RESOURCE_CLAIM_TEMPLATES, self._on_template)
        cluster.store.listen(RESOURCE_CLAIMS, self._on_claim)
        for stored in cluster.store.all(PODS):
            self._look_soon(stored.key)
        for stored in cluster.store.all(RESOURCE_CLAIMS):
            self._review_soon(stored.key)

    def _on_pod(self, change: Change) -> None:
        pod = change.now.object
        if not spec(pod).get("resourceClaims"):
            return
        if change.type == "DELETED" or is_finished(pod):
            for name in _made_names(pod):
                self._review_soon((change.now.key[0], name))
        elif change.type == "ADDED":
            self._look_soon(change.now.key)

    def _on_template(self, change: Change) -> None:
        if change.type == "ADDED":
            for stored in self._cluster.store.all(PODS, change.now.key[0]):
                self._look_soon(stored.key)

    def _on_claim(self, change: Change) -> None:
        if change.type != "DELETED" and is_deleting(change.now.object):
            self._review_soon(change.now.key)

    def _look_soon(self, key: Key, delay: float = 0.0) -> None:
        self._cluster.timers.after(delay, lambda: self._look(key))

    def _review_soon(self, key: Key) -> None:
        self._cluster.timers.soon(lambda: self._review(key))

    # Making

    def _look(self, key: Key) -> None:
        stored = self._cluster.store.get(PODS, *key)
        if stored is None or is_deleting(stored.object) or is_finished(stored.object):
            self._pauses.pop(key, None)
            return
        made = {one["name"] for one in status(stored.object).get("resourceClaimStatuses") or ()}
        for wanted in spec(stored.object).get("resourceClaims") or ():
            if wanted["name"] not in made and wanted.get("resourceClaimTemplateName"):
                self._make(key, wanted)

    def _make(self, key: Key, wanted: Json) -> None:
        stored = self._cluster.store.get(PODS, *key)
        if stored is None:
            return
        try:
            claim = self._create(stored, wanted)
        except errors.StatusError as error:
            self._complain(stored, f"PodResourceClaim {wanted['name']}: {_why(error)}")
            return
        self._pauses.pop(key, None)
        told = status(stored.object).get("resourceClaimStatuses") or []
        named = {"name": wanted["name"], "resourceClaimName": claim.key[1]}
        now = with_status(stored.object, resourceClaimStatuses=[*told, named])
        self._cluster.store.put(PODS, now)

    def _create(self, pod: Stored, wanted: Json) -> Stored:
        namespace, name = pod.key
        template = self._cluster.store.get(
            RESOURCE_CLAIM_TEMPLATES, namespace, wanted["resourceClaimTemplateName"]
        )
        if template is None:
            raise errors.not_found(RESOURCE_CLAIM_TEMPLATES, wanted["resourceClaimTemplateName"])
        return creating.create(
            self._cluster,
            kind=RESOURCE_CLAIMS,
            namespace=namespace,
            body=_claim(pod.object, wanted, template.object, prefix=f"{name}-{wanted['name']}-"),
            options=WriteOptions(manager=MANAGER),
        )

    def _complain(self, pod: Stored, message: str) -> None:
        events.record(
            self._cluster, about=pod, reason="FailedResourceClaimCreation", message=message,
            source=SOURCE, type_="Warning",
        )  # fmt: skip
        pause = self._pauses.get(pod.key, FIRST_PAUSE)
        self._pauses[pod.key] = min(LONGEST_PAUSE, pause * 2)
        self._look_soon(pod.key, pause)

    # Taking back

    def _review(self, key: Key) -> None:
        """Drop reservations of pods that ended; with the last one the devices are free."""
        stored = self._cluster.store.get(RESOURCE_CLAIMS, *key)
        if stored is None:
            return
        reserved = status(stored.object).get("reservedFor") or []
        living = [one for one in reserved if self._lives(key[0], one)]
        claim = stored.object
        if not living:
            claim = _given_back(claim)
        elif living != reserved:
            claim = with_status(claim, reservedFor=living)
        if claim is not stored.object and claim != stored.object:
            if deleting.finish_if_released(self._cluster.store, stored, claim) is not None:
                return
            self._cluster.store.put(RESOURCE_CLAIMS, claim)
        if not living and self._owner_is_over(claim) and not is_deleting(claim):
            deleting.delete(
                self._cluster, kind=RESOURCE_CLAIMS, namespace=key[0], name=key[1],
                options=DeleteOptions(),
            )  # fmt: skip

    def _lives(self, namespace: str, consumer: Json) -> bool:
        stored = self._cluster.store.get(PODS, namespace, consumer["name"])
        return bool(
            stored and uid_of(stored.object) == consumer["uid"] and not is_finished(stored.object)
        )

    def _owner_is_over(self, claim: Json) -> bool:
        owners = metadata(claim).get("ownerReferences") or []
        return bool(owners) and not any(
            self._lives(namespace_of(claim), owner) for owner in owners if owner["kind"] == "Pod"
        )


def _made_names(pod: Json) -> list[str]:
    made = status(pod).get("resourceClaimStatuses") or ()
    named = [one.get("resourceClaimName") for one in made]
    named += [one.get("resourceClaimName") for one in spec(pod).get("resourceClaims") or ()]
    return [name for name in named if name]


def _claim(pod: Json, wanted: Json, template: Json, *, prefix: str) -> Json:
    given = spec(template).get("metadata") or {}
    owner = {"apiVersion": "v1", "kind": "Pod", "name": name_of(pod), "uid": uid_of(pod)}
    return {
        "metadata": {
            **({"labels": given["labels"]} if given.get("labels") else {}),
            "generateName": prefix,
            "annotations": {**(given.get("annotations") or {}), POD_CLAIM: wanted["name"]},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": spec(template)["spec"],
    }


def _given_back(claim: Json) -> Json:
    finalizers = metadata(claim).get("finalizers") or []
    kept = [one for one in finalizers if one != PROTECTION]
    freed = with_metadata(claim, finalizers=kept or None)
    return with_status(freed, allocation=None, reservedFor=None)


def _why(error: errors.StatusError) -> str:
    if error.code == 404:
        name = str(error).partition('"')[2].partition('"')[0]
        # Its own cache names the kind as one, not as many.
        return f'resource claim template "{name}": resourceclaimtemplate.{GROUP} "{name}" not found'
    return f"create ResourceClaim : {error}"
