"""Routes meet a real API server, which knows them only for as long as this test runs.

    CLUSTER_KUBECONFIG=FILE python -m pytest tests/clusters_real/test_routes.py

No gateway carries them; what is shown is that they are taken as we write them, by the worker
alone and in the one namespace that `deploy/gateway.yaml` gives it.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from provisioning import exposing, gateways, installation, marking, routing, stopping
from provisioning.cluster import routing as edges
from provisioning.errors import NoGatewayApi, RoutesForbidden
from provisioning.models import ClusterGateway, Instance, InstanceType
from provisioning.permissions import ROUTES
from provisioning.routes import Edge
from provisioning.states import Identity, State
from tests.clusters_real import restricted
from tests.factories import provisioning as factory
from tests.provisioning.farms import Farm, wait_until

pytestmark = [
    pytest.mark.skipif(
        "CLUSTER_KUBECONFIG" not in os.environ or shutil.which("kubectl") is None,
        reason="gateway: needs kubectl and a real cluster in CLUSTER_KUBECONFIG",
    ),
    pytest.mark.django_db(transaction=True),
]
KIND = Path(__file__).with_name("httproute.yaml")
GATEWAY = Path(__file__).resolve().parents[2] / "deploy" / "gateway.yaml"
ROUTE_KIND = "httproutes.gateway.networking.k8s.io"
DOMAIN = "apps.example"
WORKER = "system:serviceaccount:npu-farm-system:npu-farm-worker"


def kubectl(*words: str, given: str = "", check: bool = True) -> str:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", os.environ["CLUSTER_KUBECONFIG"], *words],
        input=given, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout + ("" if check else done.stderr)


@pytest.fixture
def farm(transactional_db: None) -> Iterator[Farm]:
    """A cluster known by three kubeconfigs, none of which may do everything."""
    factory.load_catalog()
    InstanceType.objects.update(cpu_millicores=10, memory_mib=16, storage_gib=1)
    farm = Farm(restricted.admit_cluster())
    farm.watch()
    with override_settings(APPS_DOMAIN=DOMAIN):
        yield farm
    restricted.clear()


@pytest.fixture
def edge(farm: Farm) -> Iterator[Edge]:
    """The namespace of `deploy/gateway.yaml`, under a name of this test's own."""
    name = f"npu-{installation.current().key}-edge"
    written = GATEWAY.read_text().replace("npu-farm-edge", name)
    kubectl("apply", "-f", "-", given=written)
    yield Edge(
        gateway_namespace="gateways",
        gateway_name="public",
        namespace=name,
        service_name="portal",
        service_port=80,
    )
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def known(farm: Farm) -> Iterator[None]:
    """The server knows routes; one that did before keeps them."""
    if edges.knows_routes(farm.cluster):
        yield
        return
    kubectl("apply", "-f", str(KIND))
    try:
        kubectl("wait", "--for=condition=Established", f"crd/{ROUTE_KIND}", "--timeout=30s")
        wait_until(lambda: edges.knows_routes(farm.cluster))
        yield
    finally:
        kubectl("delete", "crd", ROUTE_KIND, "--timeout=30s")


def set_up(farm: Farm, edge: Edge) -> ClusterGateway:
    marking.check(farm.cluster, at=timezone.now())
    return gateways.set_gateway(
        cluster=farm.cluster, edge=edge, by="erin@example.com", at=timezone.now()
    )


def routes_at(edge: Edge) -> list[dict[str, Any]]:
    listed = kubectl("-n", edge.namespace, "get", ROUTE_KIND, "-o", "json", "--show-managed-fields")
    return list(json.loads(listed)["items"])


def look() -> None:
    routing.follow_ports(at=timezone.now())
    gateway = ClusterGateway.objects.get()
    assert gateway.message == ""


def open_port(instance: Instance) -> str:
    exposing.open_port(instance=instance, port=8888, by="alice", at=timezone.now())
    return f"{instance.pk}-8888.{DOMAIN}"


def test_without_the_kind_no_gateway_can_be_named(farm: Farm, edge: Edge) -> None:
    if edges.knows_routes(farm.cluster):
        pytest.skip("gateway: this cluster has the Gateway API for good")
    with pytest.raises(NoGatewayApi):
        set_up(farm, edge)


def test_a_route_is_made_put_right_and_taken_away_by_the_worker(
    farm: Farm, edge: Edge, known: None
) -> None:
    set_up(farm, edge)
    instance = farm.until(farm.launch(), State.RUNNING)
    host = open_port(instance)
    look()
    [route] = routes_at(edge)
    assert route["spec"]["hostnames"] == [host]
    [parent], [rule] = route["spec"]["parentRefs"], route["spec"]["rules"]
    assert (parent["namespace"], parent["name"], parent["kind"]) == (
        "gateways",
        "public",
        "Gateway",
    )
    [backend] = rule["backendRefs"]
    assert (backend["name"], backend["port"], backend["weight"]) == ("portal", 80, 1)
    [written] = {entry["manager"] for entry in route["metadata"]["managedFields"]}
    assert written == "npu-farm"

    # What the server has added is no difference: nothing is written again.
    version = route["metadata"]["resourceVersion"]
    look_anew()
    assert routes_at(edge)[0]["metadata"]["resourceVersion"] == version
    by_hand = json.dumps({"spec": {"hostnames": ["elsewhere.example"]}})
    name = route["metadata"]["name"]
    kubectl("-n", edge.namespace, "patch", ROUTE_KIND, name, "--type=merge", "-p", by_hand)
    look_anew()
    assert routes_at(edge)[0]["spec"]["hostnames"] == [host]

    stopping.stop_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.STOPPED)
    assert routes_at(edge) == []


def look_anew() -> None:
    ClusterGateway.objects.update(looked_at=timezone.now() - routing.LOOK_AGAIN)
    look()


def test_what_a_gateway_says_against_a_route_is_read(farm: Farm, edge: Edge, known: None) -> None:
    set_up(farm, edge)
    instance = farm.until(farm.launch(), State.RUNNING)
    open_port(instance)
    look()
    [route] = routes_at(edge)
    condition = {
        "type": "Accepted",
        "status": "False",
        "reason": "NotAllowedByListeners",
        "message": "no listener takes it",
        "lastTransitionTime": "2026-03-01T00:00:00Z",
    }
    said = {"controllerName": "example.com/gateway", "parentRef": {"name": "public"}}
    status = json.dumps({"status": {"parents": [{**said, "conditions": [condition]}]}})
    kubectl("-n", edge.namespace, "patch", ROUTE_KIND, route["metadata"]["name"],
            "--subresource=status", "--type=merge", "-p", status)  # fmt: skip
    ClusterGateway.objects.update(looked_at=timezone.now() - routing.LOOK_AGAIN)
    routing.follow_ports(at=timezone.now())
    assert "NotAllowedByListeners" in ClusterGateway.objects.get().message

    gateways.remove_gateway(cluster=farm.cluster, at=timezone.now())
    routing.follow_ports(at=timezone.now())
    assert routes_at(edge) == []


def test_routes_are_the_workers_and_in_that_namespace_alone(
    farm: Farm, edge: Edge, known: None
) -> None:
    for identity in Identity:
        user = f"system:serviceaccount:npu-farm-system:npu-farm-{identity}"
        may_here = [verb for verb in ROUTES if can(user, verb, edge.namespace)]
        assert may_here == (list(ROUTES) if identity is Identity.WORKER else [])
        assert not any(can(user, verb, "default") for verb in ROUTES)
    # Its routes can lead nowhere but to what an operator put there.
    assert not can(WORKER, "create", edge.namespace, kind="services")
    assert not can(WORKER, "deletecollection", edge.namespace)
    elsewhere = replace(edge, namespace="default")
    with pytest.raises(RoutesForbidden):
        set_up(farm, elsewhere)


def test_the_server_takes_no_nonsense_for_a_route(farm: Farm, edge: Edge, known: None) -> None:
    """So that to be taken means something."""
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "x", "namespace": edge.namespace},
        "spec": {"parentRefs": [{}], "hostnames": "all", "rules": [{"backendRefs": [{}]}]},
    }
    # The server's own word, and not that of whoever asks it.
    words = ("create", "--as", WORKER, "--dry-run=server", "--validate=false", "-f", "-")
    said = kubectl(*words, given=json.dumps(route), check=False)
    assert "spec.hostnames" in said
    assert "spec.parentRefs[0].name" in said


def can(user: str, verb: str, namespace: str, *, kind: str = ROUTE_KIND) -> bool:
    words = ("auth", "can-i", verb, kind, "--namespace", namespace, "--as", user)
    return kubectl(*words, check=False).split("\n")[0].strip() == "yes"
