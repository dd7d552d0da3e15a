"""Claims and volumes: what waits for what, in which words, and what is not deleted under a pod."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.api import Json
from tests.contract.spaces import Space, manifest, wait_for

Name = Callable[[], str]
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
VOLUMES = "/api/v1/persistentvolumes"


@pytest.fixture
def storage(own_space: Space) -> Iterator["Storage"]:
    """Classes and volumes of this test alone: no cluster has to provide any."""
    made = Storage(own_space)
    yield made
    for path in reversed(made.made):
        own_space.api.delete(path)


class Storage:
    """Makes classes, volumes and claims, and remembers what has to go again."""

    def __init__(self, space: Space) -> None:
        self.space, self.api, self.made = space, space.api, []
        self.name = space.name

    def kind(self, **words: Any) -> None:
        wish = {"metadata": {"name": self.name}, "provisioner": "kubernetes.io/no-provisioner"}
        self.api.post(CLASSES, {**wish, **words}).ok(201)
        self.made.append(f"{CLASSES}/{self.name}")

    def volume(self, size: str = "2Gi") -> None:
        body: Json = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"]}
        body |= {"storageClassName": self.name, "hostPath": {"path": "/tmp/contract"}}
        self.api.post(VOLUMES, {"metadata": {"name": self.name}, "spec": body}).ok(201)
        self.made.append(f"{VOLUMES}/{self.name}")
        # A claim that comes before the controller knows of its volume waits for the next round,
        # which a real one makes every 15 seconds.
        path = f"{VOLUMES}/{self.name}"
        wait_for(lambda: self.api.get(path).ok().get("status", {}).get("phase") == "Available")

    def claim(self, **words: Any) -> Any:
        body: Json = {"accessModes": ["ReadWriteOnce"], "storageClassName": self.name}
        body |= {"resources": {"requests": {"storage": "1Gi"}}, **words}
        wish = {"metadata": {"name": "it"}, "spec": body}
        return self.api.post(self.space.path("persistentvolumeclaims"), wish)

    @property
    def path(self) -> str:
        return self.space.path("persistentvolumeclaims", "it")

    def phase(self) -> str:
        return str(self.api.get(self.path).ok()["status"]["phase"])

    def run(self, name: str, claim: str = "it") -> None:
        wish = manifest(name)
        wish["spec"]["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]
        mounts = [{"name": "v", "mountPath": "/data"}]
        wish["spec"]["containers"][0]["volumeMounts"] = mounts
        self.api.post(self.space.pods(), wish).ok(201)

    def why(self, name: str) -> str:
        def said(pod: Json) -> str:
            conditions = pod["status"].get("conditions") or []
            return next((c.get("message", "") for c in conditions if c.get("message")), "")

        return said(self.space.await_pod(name, lambda pod: bool(said(pod))))


def test_a_claim_is_filled_in_and_guarded(storage: Storage) -> None:
    storage.kind(volumeBindingMode="WaitForFirstConsumer")
    claim = storage.claim().ok(201)
    assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert claim["spec"]["volumeMode"] == "Filesystem"
    assert claim["status"] == {"phase": "Pending"}


def test_an_immediate_claim_is_bound_to_a_volume_that_fits(storage: Storage) -> None:
    storage.kind()
    storage.volume()
    storage.claim().ok(201)
    wait_for(lambda: storage.phase() == "Bound")
    claim = storage.api.get(storage.path).ok()
    assert claim["spec"]["volumeName"] == storage.name
    assert claim["status"]["capacity"] == {"storage": "2Gi"}


def test_a_pod_without_its_claim_waits_and_says_so(storage: Storage) -> None:
    storage.run("lost", claim="missing")
    assert 'persistentvolumeclaim "missing" not found' in storage.why("lost")


def test_a_pod_with_an_unbound_immediate_claim_waits_and_says_so(storage: Storage) -> None:
    storage.kind()
    storage.claim().ok(201)
    storage.run("early")
    assert "pod has unbound immediate PersistentVolumeClaims" in storage.why("early")


def test_a_late_claim_is_bound_with_its_first_pod(storage: Storage) -> None:
    storage.kind(volumeBindingMode="WaitForFirstConsumer")
    storage.claim().ok(201)
    storage.run("first")
    assert "didn't find available persistent volumes to bind" in storage.why("first")
    assert storage.phase() == "Pending"
    storage.volume()
    storage.space.await_pod("first", lambda pod: bool(pod["spec"].get("nodeName")))
    wait_for(lambda: storage.phase() == "Bound")


def test_a_claim_a_pod_uses_is_not_deleted_under_it(storage: Storage) -> None:
    storage.kind()
    storage.volume()
    storage.claim().ok(201)
    storage.run("user")
    storage.space.await_pod("user", lambda pod: bool(pod["spec"].get("nodeName")))
    storage.api.delete(storage.path).ok(200)
    claim = storage.api.get(storage.path).ok()
    assert claim["metadata"]["deletionTimestamp"]
    storage.run("late")
    assert 'persistentvolumeclaim "it" is being deleted' in storage.why("late")
    for name in ("late", "user"):
        storage.api.delete(storage.space.pods(name), {"gracePeriodSeconds": 0})
        storage.space.await_gone(name)
    wait_for(lambda: storage.api.get(storage.path).status == 404)


def test_a_claim_grows_only_where_its_class_says_so(storage: Storage) -> None:
    storage.kind()
    storage.volume()
    storage.claim().ok(201)
    wait_for(lambda: storage.phase() == "Bound")
    more = {"spec": {"resources": {"requests": {"storage": "1500Mi"}}}}
    refused = storage.api.patch(storage.path, more).refused(403, "Forbidden")
    assert "only dynamically provisioned pvc can be resized" in refused["message"]
    storage.api.patch(f"{CLASSES}/{storage.name}", {"allowVolumeExpansion": True}).ok()

    def has_grown() -> bool:
        return bool(storage.api.patch(storage.path, more).status == 200)

    # The admission plugin hears of the class a moment later.
    wait_for(has_grown)


def test_what_is_no_claim_is_refused_field_by_field(storage: Storage) -> None:
    bad = storage.claim(accessModes=["Often"], resources={"requests": {"storage": "0"}})
    message = bad.refused(422, "Invalid")["message"]
    assert 'spec.accessModes: Unsupported value: "Often"' in message
    assert "spec.resources[storage]: Invalid value" in message
    assert "at least 1 access mode is required" in storage.claim(accessModes=[]).text
    assert "spec.resources[storage]: Required value" in storage.claim(resources={}).text


def test_claims_count_against_the_quota(storage: Storage) -> None:
    space = storage.space
    hard = {"persistentvolumeclaims": "1", "requests.storage": "5Gi"}
    quota = {"metadata": {"name": "quota"}, "spec": {"hard": hard}}
    space.api.post(space.path("resourcequotas"), quota).ok(201)
    path = space.path("resourcequotas", "quota")
    wait_for(lambda: space.api.get(path).ok()["status"].get("hard") == hard)
    big = storage.claim(resources={"requests": {"storage": "9Gi"}}).refused(403, "Forbidden")
    assert "exceeded quota: quota, requested: requests.storage=9Gi" in big["message"]
    storage.claim().ok(201)
    assert space.api.get(path).ok()["status"]["used"] == {
        "persistentvolumeclaims": "1",
        "requests.storage": "1Gi",
    }
