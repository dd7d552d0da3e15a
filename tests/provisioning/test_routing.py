"""Routes at a cluster's edge: there for as long as a port is open, and never to a pod."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import override_settings
from django.utils import timezone

from provisioning import (
    exposing,
    gateways,
    installation,
    marking,
    permissions,
    probing,
    routes,
    routing,
    stopping,
)
from provisioning.cluster import asking, connections, requests
from provisioning.cluster import routing as edges
from provisioning.cluster.requests import Request
from provisioning.errors import GatewayInUse, IllegalGateway, NoGatewayApi
from provisioning.models import ClusterGateway, HoldCause, Instance
from provisioning.routes import Edge
from provisioning.states import State
from tests.provisioning.farms import Farm

pytestmark = pytest.mark.django_db(transaction=True)

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DOMAIN = "apps.example"


@pytest.fixture
def edge(farm: Farm) -> Iterator[Edge]:
    """The namespace an operator has prepared; whatever routes are in it go afterwards."""
    name = f"npu-{installation.current().key}-edge"
    asking.apply(
        farm.cluster,
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": installation.current().labels()},
        },
    )
    if not edges.knows_routes(farm.cluster):
        pytest.skip("this cluster has no Gateway API")
    marking.check(farm.cluster, at=timezone.now())
    with override_settings(APPS_DOMAIN=DOMAIN):
        yield Edge(
            gateway_namespace="gateways",
            gateway_name="public",
            namespace=name,
            service_name="portal",
            service_port=80,
        )
    for one in found(farm, name):
        remove_by_hand(farm, name, one["metadata"]["name"])


def found(farm: Farm, namespace: str) -> list[dict[str, Any]]:
    selector = installation.current().selector
    return edges.list_routes(farm.cluster, namespace=namespace, selector=selector)


def hosts(farm: Farm, edge: Edge) -> set[str]:
    return {host for one in found(farm, edge.namespace) for host in one["spec"]["hostnames"]}


def remove_by_hand(farm: Farm, namespace: str, name: str) -> None:
    edges.delete_route(farm.cluster, namespace=namespace, name=name)


def set_up(farm: Farm, edge: Edge) -> ClusterGateway:
    return gateways.set_gateway(
        cluster=farm.cluster, edge=edge, by="erin@example.com", at=timezone.now()
    )


def open_port(instance: Instance, port: int = 8888) -> str:
    exposing.open_port(instance=instance, port=port, by="alice", at=timezone.now())
    return f"{instance.pk}-{port}.{DOMAIN}"


def look() -> None:
    routing.follow_ports(at=timezone.now())


def look_anew() -> None:
    ClusterGateway.objects.update(looked_at=timezone.now() - routing.LOOK_AGAIN)
    look()


@pytest.fixture
def running(farm: Farm) -> Instance:
    return farm.until(farm.launch(), State.RUNNING)


def test_an_open_port_is_routed_to_the_portal_and_a_closed_one_is_not(
    farm: Farm, edge: Edge, running: Instance
) -> None:
    set_up(farm, edge)
    one, other = open_port(running), open_port(running, 9999)
    look()
    (route,) = [r for r in found(farm, edge.namespace) if r["spec"]["hostnames"] == [one]]
    assert hosts(farm, edge) == {one, other}
    (parent,), (rule,) = route["spec"]["parentRefs"], route["spec"]["rules"]
    assert (parent["namespace"], parent["name"]) == ("gateways", "public")
    (backend,) = rule["backendRefs"]
    assert (backend["name"], backend["port"]) == ("portal", 80)
    assert backend.get("namespace") in (None, edge.namespace)

    exposing.close_port(instance=running, port=8888, by="alice", at=timezone.now())
    look()
    assert hosts(farm, edge) == {other}
    assert ClusterGateway.objects.get().route_count == 1


def test_without_a_gateway_nothing_is_routed(farm: Farm, edge: Edge, running: Instance) -> None:
    open_port(running)
    look()
    assert not found(farm, edge.namespace)


def test_the_route_goes_before_the_pod(
    farm: Farm, edge: Edge, running: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(farm, edge)
    open_port(running)
    look()
    left: list[set[str]] = []
    delete = asking.delete_pod

    def watched(*args: Any, **words: Any) -> Any:
        left.append(hosts(farm, edge))
        return delete(*args, **words)

    monkeypatch.setattr(asking, "delete_pod", watched)
    assert hosts(farm, edge)
    stopping.stop_instance(instance=running, at=timezone.now())
    farm.until(running, State.STOPPED)
    assert left[0] == set()
    look()
    assert not hosts(farm, edge)


def test_a_route_that_cannot_be_removed_does_not_keep_the_pod(
    farm: Farm, edge: Edge, running: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(farm, edge)
    open_port(running)
    look()

    def refuse(*args: Any, **words: Any) -> None:
        raise NoGatewayApi

    with monkeypatch.context() as refusing:
        refusing.setattr(edges, "delete_route", refuse)
        stopping.stop_instance(instance=running, at=timezone.now())
        farm.until(running, State.STOPPED)
    assert hosts(farm, edge)
    look()
    assert not hosts(farm, edge)


def test_started_again_it_is_routed_again(farm: Farm, edge: Edge, running: Instance) -> None:
    set_up(farm, edge)
    host = open_port(running)
    look()
    stopping.stop_instance(instance=running, at=timezone.now())
    stopped = farm.until(running, State.STOPPED)
    stopping.start_instance(instance=stopped, at=timezone.now())
    farm.until(stopped, State.RUNNING)
    look()
    assert hosts(farm, edge) == {host}


def test_what_somebody_did_to_routes_is_undone(farm: Farm, edge: Edge, running: Instance) -> None:
    set_up(farm, edge)
    host, other = open_port(running), open_port(running, 9999)
    look()
    remove_by_hand(farm, edge.namespace, f"{running.pk}-9999")
    elsewhere = {"hostnames": ["evil.example"]}
    path = f"{edges.GATEWAY_API}/namespaces/{edge.namespace}/httproutes/{running.pk}-8888"
    requests.ask(
        connections.connection_to(farm.cluster),
        Request(
            method="PATCH", path=path, body={"spec": elsewhere}, content_type=requests.MERGE_PATCH
        ),
    )
    stray = routes.route_for(
        edge,
        marks=installation.current(),
        instance_id=running.pk,
        port=1,
        tenant_id=1,
        domain=DOMAIN,
    )
    edges.apply_route(farm.cluster, stray)
    assert hosts(farm, edge) == {"evil.example", f"{running.pk}-1.{DOMAIN}"}
    look_anew()
    assert hosts(farm, edge) == {host, other}
    assert len(found(farm, edge.namespace)) == 2


def test_a_cluster_is_not_asked_while_nothing_has_changed(
    farm: Farm, edge: Edge, running: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(farm, edge)
    open_port(running)
    look()
    asked: list[object] = []
    monkeypatch.setattr(edges, "list_routes", lambda *args, **words: asked.append(args) or [])
    look()
    assert not asked
    look_anew()
    assert asked


def test_another_installations_route_is_left_alone(
    farm: Farm, edge: Edge, running: Instance
) -> None:
    foreign = routes.route_for(
        edge, marks=installation.current(), instance_id=running.pk, port=1, tenant_id=1, domain="x"
    )
    foreign["metadata"] |= {"name": "theirs", "labels": {"app.kubernetes.io/instance": "theirs"}}
    edges.apply_route(farm.cluster, foreign)
    set_up(farm, edge)
    look()
    gateways.remove_gateway(cluster=farm.cluster, at=timezone.now())
    look()
    selector = "app.kubernetes.io/instance=theirs"
    assert edges.list_routes(farm.cluster, namespace=edge.namespace, selector=selector)
    remove_by_hand(farm, edge.namespace, "theirs")


def test_a_removed_gateway_leaves_no_route(farm: Farm, edge: Edge, running: Instance) -> None:
    set_up(farm, edge)
    open_port(running)
    look()
    gateways.remove_gateway(cluster=farm.cluster, at=timezone.now())
    assert gateways.gateway_of(farm.cluster) is not None
    look()
    assert not found(farm, edge.namespace)
    assert gateways.gateway_of(farm.cluster) is None


def test_nothing_is_done_on_a_cluster_that_is_held(
    farm: Farm, edge: Edge, running: Instance
) -> None:
    set_up(farm, edge)
    open_port(running)
    marking.hold(farm.cluster, cause=HoldCause.MARK_AHEAD, known_until=None, at=timezone.now())
    look()
    assert not found(farm, edge.namespace)


def test_routes_in_two_namespaces_are_not_begun(farm: Farm, edge: Edge) -> None:
    set_up(farm, edge)
    with pytest.raises(GatewayInUse):
        set_up(farm, Edge(**{**vars(edge), "namespace": "default"}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"gateway_name": "a/b"},
        {"namespace": "../kube-system"},
        {"service_name": "Portal"},
        {"service_port": 0},
        {"gateway_namespace": ""},
        {"namespace": "edge\n"},
    ],
)
def test_names_that_lead_elsewhere_are_refused(wrong: dict[str, Any]) -> None:
    right = Edge(
        gateway_namespace="g", gateway_name="p", namespace="e", service_name="s", service_port=80
    )
    gateways.require_legal(right)
    with pytest.raises(IllegalGateway):
        gateways.require_legal(Edge(**{**vars(right), **wrong}))


def test_what_a_gateway_says_against_a_route_is_read() -> None:
    conditions = [
        {"type": "Accepted", "status": "False", "reason": "NotAllowed", "message": "Not from here."}
    ]
    said = {"metadata": {"name": "r"}, "status": {"parents": [{"conditions": conditions}]}}
    assert list(routes.refusals_of(said)) == ["r: NotAllowed: Not from here."]
    assert not list(routes.refusals_of({"metadata": {"name": "r"}}))


def test_a_probe_tells_whether_there_are_routes(farm: Farm, edge: Edge) -> None:
    probing.probe_cluster(cluster=farm.cluster, at=timezone.now())
    assert farm.cluster.findings.get(question="gateway_api").facts == {"is_there": True}


def test_the_manifest_grants_routes_in_one_namespace_and_nothing_else() -> None:
    documents = list(yaml.safe_load_all((DEPLOY / "gateway.yaml").read_text()))
    assert not [one for one in documents if one["kind"].startswith("ClusterRole")]
    (role,) = [one for one in documents if one["kind"] == "Role"]
    (rule,) = role["rules"]
    wanted = permissions.wanted_for_routes()
    assert {(one.group, one.resource) for one in wanted} == {
        (rule["apiGroups"][0], rule["resources"][0])
    }
    assert {one.verb for one in wanted} == set(rule["verbs"])
    assert len(rule["apiGroups"]) == len(rule["resources"]) == 1
