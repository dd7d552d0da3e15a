"""Published devices count once their whole newest generation is there, each for its family."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from provisioning import deviceclaims, inventorying, slices
from provisioning.manifests import hash_of, pod_for
from provisioning.models import (
    AllocationMode,
    Device,
    Family,
    NodeCapacity,
    NodeWarning,
    Outage,
    Pool,
)
from provisioning.specs import Device as Told
from provisioning.specs import DeviceRequest
from tests.factories import provisioning as factory

NAME = "npu.rebellions.ai"
CLASSES = [{"metadata": {"name": NAME}}]


def device(name: str, product: str = "RBLN-CA25", **more: Any) -> dict[str, Any]:
    return {"name": name, "attributes": {"productName": {"string": product}}, **more}


def piece(
    *devices: dict[str, Any], node: str = "node-1", generation: int = 1, count: int = 1
) -> dict[str, Any]:
    pool = {"name": node, "generation": generation, "resourceSliceCount": count}
    return {"spec": {"driver": NAME, "nodeName": node, "pool": pool, "devices": list(devices)}}


def read(*pieces: dict[str, Any]) -> list[str]:
    return [one.name for one in slices.read_published(CLASSES, pieces).devices]


def test_only_the_newest_generation_counts() -> None:
    old = piece(device("npu0"), device("npu1"))
    assert read(old, piece(device("npu0"), generation=2)) == ["npu0"]


def test_an_incomplete_generation_counts_for_nothing() -> None:
    half = piece(device("npu0"), generation=2, count=2)
    assert read(piece(device("npu0")), half) == []
    whole = piece(device("npu1"), generation=2, count=2)
    assert read(half, whole) == ["npu0", "npu1"]


def test_parts_of_a_card_that_share_counters_are_not_cards() -> None:
    part = device("npu0-half", consumesCounters=[{"counterSet": "npu0"}])
    assert read(piece(part, device("npu1"))) == ["npu1"]


def test_an_id_names_its_pool_unless_that_is_the_nodes_own() -> None:
    other = piece(device("npu0"))
    other["spec"]["pool"]["name"] = "rack"
    ids = [one.id for one in slices.read_published(CLASSES, [piece(device("npu0")), other]).devices]
    assert sorted(ids) == ["npu0", "rack/npu0"]


# --- pools -------------------------------------------------------------------------------


def publish(*pieces: dict[str, Any], classes: Any = CLASSES, at: Any = factory.NOON) -> None:
    """One look of the watcher at a cluster whose one node has no device plugin."""
    node = factory.raw_node(uid=UID)
    for part in ("capacity", "allocatable"):
        del node["status"][part][factory.RNGD]
    inventorying.record_nodes(
        cluster=CLUSTERS[0],
        found=inventorying.read_nodes([node], []),
        at=at,
        published=slices.read_published(classes, pieces),
    )


UID = uuid4()
CLUSTERS: list[Any] = []


@pytest.fixture
def cluster(on_offer: None) -> None:
    CLUSTERS[:] = [factory.add_cluster()]


def test_a_mixed_node_is_told_apart_by_what_its_driver_says(cluster: None) -> None:
    publish(piece(device("npu0"), device("npu1"), device("npu2", "RBLN-CR03")))
    rows = NodeCapacity.objects.values_list("pool__family__slug", "capacity", "pool__allocation")
    assert set(rows) == {
        ("rebellions-atom", 2, AllocationMode.DRA),
        ("rebellions-rebel", 1, AllocationMode.DRA),
    }
    assert not NodeWarning.objects.exists()


def test_without_its_class_nobody_can_claim_a_device(cluster: None) -> None:
    publish(piece(device("npu0")), classes=[])
    assert not Pool.objects.exists()


def test_a_device_closed_to_new_pods_is_not_ill(cluster: None) -> None:
    taint = [{"key": "upgrade", "effect": "NoSchedule"}, {"key": "seen", "effect": "None"}]
    publish(piece(device("npu0", taints=taint), device("npu1")))
    row = NodeCapacity.objects.get()
    assert (row.capacity, row.allocatable) == (2, 1)
    assert set(Device.objects.values_list("health", flat=True)) == {"healthy"}
    assert not Outage.objects.exists()


def test_an_ill_device_is_there_and_not_for_sale(cluster: None) -> None:
    taint = [{"key": "ill", "effect": "NoExecute"}]
    publish(piece(device("npu0", taints=taint), device("npu1")))
    row = NodeCapacity.objects.get()
    assert (row.capacity, row.allocatable) == (2, 1)
    known = dict(Device.objects.values_list("device_id", "health"))
    assert known == {"npu0": "unhealthy", "npu1": "healthy"}
    assert Device.objects.get(device_id="npu0").outages.filter(ended_at=None).count() == 1
    well = piece(device("npu0"), device("npu1"), generation=2)
    publish(well, at=factory.NOON + timedelta(minutes=1))
    assert not Device.objects.get(device_id="npu0").outages.filter(ended_at=None).exists()


def test_an_extended_resource_name_of_a_class_makes_no_second_pool(cluster: None) -> None:
    served = [{**CLASSES[0], "spec": {"extendedResourceName": "rebellions.ai/npu"}}]
    publish(piece(device("npu0")), classes=served)
    assert [pool.resource_name for pool in Pool.objects.all()] == [NAME]


# --- claims ------------------------------------------------------------------------------


def test_a_pod_that_claims_asks_for_no_amount_and_is_one_container() -> None:
    spec = factory.pod_spec(
        resource_name=NAME, device_count=4, claim_template="npu-4-abc", confided=None
    )
    pod = pod_for(spec)
    assert pod["spec"]["resourceClaims"] == [
        {"name": "npu", "resourceClaimTemplateName": "npu-4-abc"}
    ]
    # All devices of a claim in the one container there is.
    assert len(pod["spec"]["containers"]) == 1
    resources = pod["spec"]["containers"][0]["resources"]
    assert resources["claims"] == [{"name": "npu"}]
    assert NAME not in resources["limits"] | resources["requests"]
    plain = pod_for(factory.pod_spec(resource_name=NAME, device_count=4))
    assert hash_of(pod, spec) != hash_of(plain, spec)


def test_an_instance_has_one_container_however_many_devices() -> None:
    """Chips of two containers are in two groups and cannot talk: so there are never two."""
    pod = pod_for(factory.pod_spec(resource_name="rebellions.ai/npu", device_count=8))
    inside = pod["spec"]["containers"]
    assert [one["resources"]["limits"]["rebellions.ai/npu"] for one in inside] == ["8"]
    assert not pod["spec"].get("initContainers")


def test_a_template_is_named_after_what_it_asks(on_offer: None) -> None:
    dra = Family.objects.get(slug="rebellions-atom").dra
    four = deviceclaims.request_of(device_class=NAME, dra=dra, count=4)
    same = deviceclaims.request_of(device_class=NAME, dra=dra, count=4)
    eight = deviceclaims.request_of(device_class=NAME, dra=dra, count=8)
    rebel = Family.objects.get(slug="rebellions-rebel").dra
    other = deviceclaims.request_of(device_class=NAME, dra=rebel, count=4)
    names = [deviceclaims.template_name(one) for one in (four, same, eight, other)]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    written = deviceclaims.template_for(four, marks=factory.MARKS, namespace="n", tenant_id=1)
    exactly = written["spec"]["spec"]["devices"]["requests"][0]["exactly"]
    assert (exactly["deviceClassName"], exactly["count"]) == (NAME, 4)
    assert 'startsWith("RBLN-CA")' in exactly["selectors"][0]["cel"]["expression"]


def test_a_class_of_one_family_needs_no_expression() -> None:
    dra = {"driver": "npu.furiosa.ai"}
    plain = deviceclaims.request_of(device_class="npu.furiosa.ai", dra=dra, count=1)
    assert plain == DeviceRequest(device_class="npu.furiosa.ai", count=1)


def test_a_claim_says_which_devices_or_none_yet() -> None:
    request = {"name": "npu", "exactly": {"deviceClassName": NAME}}
    claim: dict[str, Any] = {"spec": {"devices": {"requests": [request]}}}
    assert deviceclaims.devices_in(claim, node_name="node-1") == []
    result = {"request": "npu", "driver": NAME, "pool": "node-1", "device": "npu3"}
    claim["status"] = {"allocation": {"devices": {"results": [result]}}}
    told = Told(resource_name=NAME, device_id="npu3", health="Unknown")
    assert deviceclaims.devices_in(claim, node_name="node-1") == [told]
    elsewhere = deviceclaims.devices_in(claim, node_name="node-2")
    assert elsewhere[0].device_id == "node-1/npu3"
