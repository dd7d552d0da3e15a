"""Instances, their ports, their volumes and their images."""

from datetime import timedelta

from provisioning import exposing
from tests.factories import portal as factory
from tests.factories.portal import NOON, TOMORROW
from tests.portal.walking import AliceWorld, Step, having, mine


def _with_port(world: AliceWorld) -> object:
    exposing.open_port(instance=world.instance, port=8888, by="alice@example.com", at=NOON)
    return world.instance.pk


def _ended(world: AliceWorld) -> object:
    return factory.end_launch(world.instance).pk


VOLUMES = [
    mine("/volumes", asked=lambda w: having(w.volume)),
    Step("get", "/volumes/{id}", key=lambda w: w.volume.pk),
    Step(
        "post", "/volumes", status=201,
        body=lambda w: {
            "project": w.project.pk, "cluster": w.cluster.name, "name": "models", "size_gib": 5,
        },
    ),
    # Its cluster does not answer: whether storage can grow is its to say.
    Step(
        "post", "/volumes/{id}/grow", key=lambda w: w.volume.pk, body=lambda w: {"size_gib": 20},
        status=503,
    ),
    Step(
        "post", "/volumes/{id}/expire", key=lambda w: w.volume.pk,
        body=lambda w: {"expires_at": None},
    ),
    Step("post", "/volumes/{id}/delete", key=lambda w: w.volume.pk, status=202),
    mine("/tenant-images", asked=lambda w: having(w.allowed)),
    Step(
        "post", "/tenant-images", who="erin", status=201,
        body=lambda w: {"tenant": w.tenant.slug, "pattern": "registry.example/hers/*"},
    ),
    Step(
        "post", "/tenant-images/{id}/withdraw", who="erin", key=lambda w: w.allowed.pk, status=204
    ),
    mine("/registry-logins", asked=lambda w: having(w.login)),
    Step(
        "post", "/registry-logins", status=201,
        body=lambda w: {
            "tenant": w.tenant.slug, "host": "r.example", "username": "robot",
            "password": "hunter2",
        },
    ),
    Step("post", "/registry-logins/{id}/remove", key=lambda w: w.login.pk, status=204),
]  # fmt: skip

INSTANCES = [
    mine("/instances"),
    Step("get", "/instances/{id}", key=lambda w: w.instance.pk),
    Step("get", "/instances/{id}/timeline", key=lambda w: w.instance.pk),
    Step("get", "/instances/{id}/attempts", key=lambda w: w.instance.pk),
    Step("get", "/instances/{id}/devices", key=lambda w: w.instance.pk),
    # Nothing runs here, and she is told so.
    Step("get", "/instances/{id}/logs", key=lambda w: w.instance.pk, status=409),
    Step("get", "/instances/{id}/events", key=lambda w: w.instance.pk, status=409),
    # A stream always begins; what there is to say of the log is said in it.
    Step("get", "/instances/{id}/logs/follow", key=lambda w: w.instance.pk),
    Step("get", "/instances/{id}/ports", key=lambda w: w.instance.pk),
    Step(
        "post", "/instances/{id}/ports", key=lambda w: w.instance.pk, status=201,
        body=lambda w: {"port": 8888},
    ),
    Step("delete", "/instances/{id}/ports/{port}", key=_with_port, status=204),
    Step("get", "/instances/{id}/visits", key=lambda w: w.instance.pk),
    Step("post", "/instances/{id}/stop", key=lambda w: w.instance.pk, status=202),
    Step("post", "/instances/{id}/start", key=_ended, status=202),
    Step("post", "/instances/{id}/terminate", key=lambda w: w.instance.pk, status=202),
    # It waits for a place, so there is nothing that could move.
    Step("post", "/instances/{id}/move", key=lambda w: w.instance.pk, status=409),
    Step(
        "post", "/instances/{id}/extend", key=lambda w: w.instance.pk,
        body=lambda w: {"ends_at": TOMORROW + timedelta(days=1)},
    ),
]  # fmt: skip
