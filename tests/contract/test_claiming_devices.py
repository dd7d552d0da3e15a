"""Devices that a driver publishes, and pods that claim them.

A real cluster needs the simulated driver on its node for these:
`python -m provisioning.sandbox.dra_driver --driver npu.rebellions.ai --count 8 --node NAME`.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.contract.api import Api, Json
from tests.contract.spaces import Space, condition, manifest, wait_for

Name = Callable[[], str]

GROUP = "resource.k8s.io"
CLASS = "npu.rebellions.ai"
ROOT = f"/apis/{GROUP}/v1"
PROTECTION = "resource.kubernetes.io/delete-protection"


@pytest.fixture(scope="module")
def published(api: Api) -> Json:
    """The slice of the driver whose devices are claimed here."""
    slices = api.get(f"{ROOT}/resourceslices").ok()["items"]
    mine = [one for one in slices if one["spec"]["driver"] == CLASS]
    if not mine:
        pytest.skip("dra driver: no driver publishes devices of npu.rebellions.ai")
    found: Json = mine[0]
    return found


def template(space: Space, name: str, *, count: int = 1, class_: str = CLASS) -> str:
    exactly = {"deviceClassName": class_, "allocationMode": "ExactCount", "count": count}
    content = {"devices": {"requests": [{"name": "npu", "exactly": exactly}]}}
    body = {
        "metadata": {"name": name},
        "spec": {"metadata": {"labels": {"made-by": "contract"}}, "spec": content},
    }
    space.api.post(space.path("resourceclaimtemplates", group=GROUP), body).ok(201)
    return name


def claiming(name: str, template: str, **wish: object) -> Json:
    container = {"resources": {"claims": [{"name": "npu"}]}, "command": ["sleep", "300"]}
    claims = [{"name": "npu", "resourceClaimTemplateName": template}]
    return manifest(name, container=container, resourceClaims=claims, **wish)  # type: ignore[arg-type]


def claims(space: Space) -> list[Json]:
    found: list[Json] = space.api.get(space.path("resourceclaims", group=GROUP)).ok()["items"]
    return found


def claim_of(space: Space, pod: str) -> Json:
    return next(
        one for one in claims(space) if one["metadata"]["ownerReferences"][0]["name"] == pod
    )


def ended(space: Space, name: str) -> None:
    space.api.delete(space.pods(name))
    space.release(name)
    space.await_gone(name)
    wait_for(lambda: not claims(space), lambda: claims(space))


@pytest.fixture
def running(own_space: Space, published: Json) -> Iterator[tuple[Space, Json]]:
    """A pod with two claimed devices."""
    space = own_space
    made = claiming("claims", template(space, "two", count=2), held=True)
    space.api.post(space.pods(), made).ok(201)
    yield space, space.await_phase("claims", "Running")
    ended(space, "claims")


def test_a_slice_says_whose_devices_where(published: Json, api: Api) -> None:
    spec = published["spec"]
    assert api.get(f"/api/v1/nodes/{spec['nodeName']}").ok()
    assert spec["pool"]["name"] == spec["nodeName"]
    assert spec["pool"]["resourceSliceCount"] == 1
    assert spec["pool"]["generation"] >= 1
    assert len(spec["devices"]) == 8
    assert spec["devices"][0]["attributes"]["productName"] == {"string": "RBLN-CA25"}


def test_a_class_selects_by_driver(published: Json, api: Api) -> None:
    spec = api.get(f"{ROOT}/deviceclasses/{CLASS}").ok()["spec"]
    assert CLASS in spec["selectors"][0]["cel"]["expression"]


def test_a_pods_claim_is_made_allocated_and_reserved(
    running: tuple[Space, Json], published: Json
) -> None:
    space, pod = running
    claim = claim_of(space, "claims")
    told = pod["status"]["resourceClaimStatuses"]
    assert told == [{"name": "npu", "resourceClaimName": claim["metadata"]["name"]}]
    assert claim["metadata"]["name"].startswith("claims-npu-")
    assert claim["metadata"]["labels"] == {"made-by": "contract"}
    assert claim["metadata"]["finalizers"] == [PROTECTION]
    assert claim["metadata"]["annotations"]["resource.kubernetes.io/pod-claim-name"] == "npu"
    owner = claim["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"], owner["controller"]) == (
        "Pod",
        pod["metadata"]["uid"],
        True,
    )
    reserved = [{"resource": "pods", "name": "claims", "uid": pod["metadata"]["uid"]}]
    assert claim["status"]["reservedFor"] == reserved
    results = claim["status"]["allocation"]["devices"]["results"]
    assert {one["driver"] for one in results} == {CLASS}
    assert {one["request"] for one in results} == {"npu"}
    assert {one["pool"] for one in results} == {published["spec"]["pool"]["name"]}
    names = {one["name"] for one in published["spec"]["devices"]}
    assert len({one["device"] for one in results} & names) == 2


def test_a_claim_ties_its_pod_to_the_node_of_the_devices(
    running: tuple[Space, Json], published: Json
) -> None:
    space, pod = running
    terms = claim_of(space, "claims")["status"]["allocation"]["nodeSelector"]["nodeSelectorTerms"]
    node = published["spec"]["nodeName"]
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    assert terms == [{"matchFields": [field]}]
    assert pod["spec"]["nodeName"] == node


def test_devices_are_given_back_while_a_finalizer_holds_the_pod(
    running: tuple[Space, Json],
) -> None:
    space, _ = running
    space.api.delete(space.pods("claims")).ok()
    space.await_phase("claims", "Failed", "Succeeded")
    wait_for(lambda: not claims(space), lambda: claims(space))
    assert space.pod("claims")["metadata"]["finalizers"]


def test_two_pods_never_hold_one_device(running: tuple[Space, Json]) -> None:
    space, _ = running
    space.api.post(space.pods(), claiming("other", "two")).ok(201)
    space.await_phase("other", "Running")
    held = [
        result["device"]
        for claim in claims(space)
        for result in claim["status"]["allocation"]["devices"]["results"]
    ]
    assert len(held) == len(set(held)) == 4
    space.api.delete(space.pods("other"))


def test_more_devices_than_there_are_wait(own_space: Space, published: Json) -> None:
    space = own_space
    space.api.post(space.pods(), claiming("big", template(space, "big", count=9))).ok(201)
    pod = space.await_pod("big", lambda pod: bool(condition(pod, "PodScheduled")))
    told = condition(pod, "PodScheduled")
    assert (told["status"], told["reason"]) == ("False", "Unschedulable")
    total = len(space.api.get("/api/v1/nodes").ok()["items"])
    assert told["message"] == (
        f"0/{total} nodes are available: {total} cannot allocate all claims."
        f" still not schedulable, preemption: 0/{total} nodes are available:"
        f" {total} Preemption is not helpful for scheduling."
    )
    assert "allocation" not in claim_of(space, "big").get("status", {})
    ended(space, "big")


def test_a_class_nobody_made_is_named(own_space: Space, published: Json) -> None:
    space = own_space
    made = template(space, "nowhere", class_="nowhere.example")
    space.api.post(space.pods(), claiming("lost", made)).ok(201)
    pod = space.await_pod("lost", lambda pod: bool(condition(pod, "PodScheduled")))
    told = condition(pod, "PodScheduled")["message"]
    assert "request npu: device class nowhere.example does not exist" in told
    assert told.startswith("0/")
    ended(space, "lost")


def _complaints(space: Space, pod: str) -> list[str]:
    found = space.api.get(space.path("events"), fieldSelector=f"involvedObject.name={pod}").ok()[
        "items"
    ]
    return [one["message"] for one in found if one["reason"] == "FailedResourceClaimCreation"]


def test_a_missing_template_is_told_and_waited_for(own_space: Space, published: Json) -> None:
    space = own_space
    space.api.post(space.pods(), claiming("early", "late")).ok(201)
    wait_for(lambda: bool(_complaints(space, "early")))
    assert _complaints(space, "early")[0] == (
        'PodResourceClaim npu: resource claim template "late":'
        ' resourceclaimtemplate.resource.k8s.io "late" not found'
    )
    assert not condition(space.pod("early"), "PodScheduled")
    template(space, "late")
    space.await_phase("early", "Running")
    ended(space, "early")


def test_a_quota_counts_claimed_devices(own_space: Space, published: Json) -> None:
    space = own_space
    limit = f"{CLASS}.deviceclass.resource.k8s.io/devices"
    count = "count/resourceclaims.resource.k8s.io"
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {limit: "3", count: "5"}}}
    space.api.post(space.path("resourcequotas"), quota).ok(201)
    path = space.path("resourcequotas", "q")
    wait_for(lambda: "hard" in space.api.get(path).ok().get("status", {}))
    made = template(space, "two", count=2)
    space.api.post(space.pods(), claiming("first", made)).ok(201)
    space.await_phase("first", "Running")
    assert space.api.get(path).ok()["status"]["used"] == {limit: "2", count: "1"}
    space.api.post(space.pods(), claiming("second", made)).ok(201)
    wait_for(lambda: bool(_complaints(space, "second")))
    told = _complaints(space, "second")[0]
    assert told.startswith("PodResourceClaim npu: create ResourceClaim : resourceclaims.resource")
    assert told.endswith(
        "is forbidden: exceeded quota: q,"
        f" requested: {limit}=2, used: {limit}=2, limited: {limit}=3"
    )
    space.api.delete(space.pods("second"))
    ended(space, "first")
    wait_for(lambda: space.api.get(path).ok()["status"]["used"] == {limit: "0", count: "0"})


def test_the_content_of_a_template_stands(own_space: Space, published: Json) -> None:
    space = own_space
    made = template(space, "fixed")
    path = space.path("resourceclaimtemplates", made, group=GROUP)
    change = {"spec": {"metadata": {"labels": {"made-by": "somebody"}}}}
    told = space.api.patch(path, change).refused(422, "Invalid")
    assert "field is immutable" in told["message"]
