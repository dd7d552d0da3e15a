"""Clusters, what is on them, and what went wrong there."""

from datetime import timedelta

from tests.factories import provisioning as provisioning_factory
from tests.factories.portal import TOMORROW
from tests.portal.walking import AliceWorld, Meets, Step, Words, mine, staffs


def _on_cluster(world: AliceWorld) -> Words:
    provisioning_factory.put_on(world.instance, world.cluster)
    return {"instance_id": world.instance.pk}


def _window(world: AliceWorld) -> Words:
    return {
        "cluster": world.node.cluster.name, "nodes": [world.node.pk], "reason": "Firmware",
        "starts_at": TOMORROW, "ends_at": TOMORROW + timedelta(hours=4), "policy": "move",
    }  # fmt: skip


INVENTORY = [
    staffs("/nodes", "erin"),
    Step("get", "/nodes/{id}", who="erin", key=lambda w: w.node.pk),
    Step(
        "post", "/nodes/{id}/stop-sale", who="erin", key=lambda w: w.node.pk,
        body=lambda w: {"reason": "Fan"},
    ),
    Step("post", "/nodes/{id}/resume-sale", who="erin", key=lambda w: w.node.pk),
    staffs("/devices", "erin"),
    Step(
        "post", "/devices/{id}/stop-sale", who="erin", key=lambda w: w.device.pk,
        body=lambda w: {"reason": "Flaky"},
    ),
    Step("post", "/devices/{id}/resume-sale", who="erin", key=lambda w: w.device.pk),
    staffs("/pools", "erin"),
    Step(
        "patch", "/pools/{id}", who="erin", key=lambda w: w.device.pool_id,
        body=lambda w: {
            "exporter": {"namespace": "npu-system", "selector": "app=exporter", "port": 9400}
        },
    ),
    # Nobody answers there, and she is told so.
    Step("get", "/pools/{id}/exporters", who="erin", key=lambda w: w.device.pool_id, status=503),
    staffs("/maintenance-windows", "erin"),
    Step("post", "/maintenance-windows", who="erin", body=_window, status=201),
    Step("post", "/maintenance-windows/{id}/cancel", who="erin", key=lambda w: w.window.pk),
    Step("get", "/maintenance-windows/{id}/affected", who="erin", key=lambda w: w.window.pk),
    mine("/notices", asked=lambda w: {"tenant": w.notice.tenant.slug}),
    Step("post", "/notices/{id}/read", key=lambda w: w.notice.pk),
    Step("post", "/notices/read", stranger=Meets.THE_SAME),
]  # fmt: skip

CLUSTERS = [
    staffs("/clusters", "erin"),
    Step("get", "/clusters/{id}", who="erin", key=lambda w: w.cluster.pk),
    Step(
        "post", "/clusters", who="erin", status=422,
        body=lambda w: {"name": "west", "kubeconfig": "not one"},
    ),
    # Nobody answers there, and she is told so.
    Step("post", "/clusters/{id}/probe", who="erin", key=lambda w: w.cluster.pk, status=503),
    Step("post", "/clusters/{id}/pause", who="erin", key=lambda w: w.cluster.pk),
    Step("post", "/clusters/{id}/resume", who="erin", key=lambda w: w.cluster.pk),
    Step("post", "/clusters/{id}/examine", who="erin", key=lambda w: w.cluster.pk, status=202),
    # Nobody answers there, so nothing is known of a gateway either.
    Step(
        "post", "/clusters/{id}/gateway", who="erin", key=lambda w: w.cluster.pk, status=503,
        body=lambda w: {
            "gateway_namespace": "edge", "gateway_name": "public", "namespace": "edge",
            "service_name": "portal", "service_port": 80,
        },
    ),
    Step("post", "/clusters/{id}/gateway/remove", who="erin", key=lambda w: w.cluster.pk),
    Step("post", "/clusters/{id}/drain", who="erin", key=lambda w: w.cluster.pk),
    # It has to be drained first, and nobody answers there.
    Step("post", "/clusters/{id}/remove", who="erin", key=lambda w: w.cluster.pk, status=503),
    # It was heard of a moment ago.
    Step(
        "post", "/clusters/{id}/lose", who="erin", key=lambda w: w.cluster.pk, status=409,
        body=lambda w: {"confirmation": w.cluster.name, "reason": "The hall has burned."},
    ),
    Step(
        "post", "/clusters/{id}/credentials", who="erin", key=lambda w: w.cluster.pk, status=422,
        body=lambda w: {"kubeconfig": "not one"},
    ),
    Step("get", "/clusters/{id}/instances", who="erin", key=lambda w: w.cluster.pk),
    # The cluster takes new pods, and that is what the operator is told.
    Step(
        "post", "/clusters/{id}/move", who="erin", key=lambda w: w.cluster.pk, status=409,
        body=_on_cluster,
    ),
    Step(
        "post", "/clusters/{id}/stop", who="erin", key=lambda w: w.cluster.pk, body=_on_cluster
    ),
]  # fmt: skip

WHY = {"reason": "Looked at."}


def _letter(world: AliceWorld) -> object:
    return provisioning_factory.dead_letter(world.instance).pk


def _alarm(world: AliceWorld) -> object:
    return provisioning_factory.alarm(world.cluster).pk


TROUBLE = [
    staffs("/dead-letters", "erin"),
    Step("get", "/dead-letters/{id}", who="erin", key=_letter),
    Step("post", "/dead-letters/{id}/retry", who="erin", key=_letter, body=lambda w: WHY),
    Step("post", "/dead-letters/{id}/close", who="erin", key=_letter, body=lambda w: WHY),
    staffs("/cluster-alarms", "erin"),
    Step("get", "/cluster-alarms/{id}", who="erin", key=_alarm),
    Step("get", "/cluster-alarms/{id}/orphans", who="erin", key=_alarm),
    Step(
        "post", "/cluster-alarms/{id}/release", who="erin", key=_alarm, status=409,
        body=lambda w: {**WHY, "uids": ["11111111-1111-4111-8111-111111111111"]},
    ),
    Step("post", "/cluster-alarms/{id}/close", who="erin", key=_alarm, body=lambda w: WHY),
]  # fmt: skip
