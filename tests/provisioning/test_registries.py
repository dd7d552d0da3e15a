"""Logins to registries: said once, sealed, in reach of one pull, and gone with the attempt."""

import base64
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from provisioning import confiding, images, registries, stopping
from provisioning.cluster import asking, connections, requests, storing
from provisioning.cluster.errors import NotFound
from provisioning.cluster.requests import Request
from provisioning.errors import IllegalRegistryLogin
from provisioning.manifests import Manifest
from provisioning.models import Attempt, Cluster, ConfidedSecret, Instance, RegistryLogin
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON
from tests.provisioning.farms import Farm, wait_until
from tests.provisioning.test_confiding import everything_written
from tests.sandbox.processes import Process

HOST, IMAGE = "registry.local", "registry.local/npu-workspace:1"
USER, PASSWORD, OTHER = "harbor-robot", "pass$(HOME) phrase 한", "another phrase"
LATER = NOON + timedelta(hours=1)
CLOSED = {"prefix": IMAGE, "username": USER, "password": PASSWORD}


def store(tenant_id: int, *, password: str = PASSWORD, host: str = HOST) -> RegistryLogin:
    words = {"host": host, "username": USER, "password": password}
    return registries.store_login(tenant_id=tenant_id, **words, by="alice@x.example", at=NOON)


@pytest.fixture
def closed(breakable: Farm, sandbox: Process) -> Iterator[Farm]:
    """A farm whose registry wants a login, and whose nodes were delivered without the image."""
    door = "/clusters/east/registries"
    for broken in (True, False):
        sandbox.operate("POST", "/clusters/east/images", {"image": IMAGE, "broken": broken})
    sandbox.operate("POST", door, CLOSED)
    yield breakable
    sandbox.operate("POST", door, {"prefix": IMAGE, "private": False})


def secret_of(cluster: Cluster, attempt: Attempt) -> dict[str, Any]:
    path = f"/api/v1/namespaces/{attempt.namespace}/secrets/{attempt.pod_name}-registry"
    return requests.ask(connections.connection_to(cluster), Request(method="GET", path=path))


def until_it_says(farm: Farm, instance: Instance, words: str) -> None:
    def says_so() -> bool:
        instance.refresh_from_db()
        return words in instance.message

    wait_until(says_so, lambda: (farm.watch(), farm.work()), lambda: instance.message)


def end(farm: Farm, instance: Instance) -> None:
    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)
    confiding.clear_away(at=timezone.now())


def test_a_private_image_is_pulled_with_the_tenants_login_and_waits_without(
    closed: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tenant_id = closed.account.tenant_id
    bare = closed.until(closed.launch(), State.STARTING)
    until_it_says(closed, bare, "authorization failed")
    assert bare.reason == "image_not_pulled"
    assert not ConfidedSecret.objects.exists()

    login = store(tenant_id)
    running = closed.until(closed.launch(name="second"), State.RUNNING)
    attempt = running.attempts.get()
    found = secret_of(closed.cluster, attempt)
    assert found["type"] == "kubernetes.io/dockerconfigjson"
    assert found["immutable"] is True
    assert (
        found["metadata"]["labels"].items() >= {"app.kubernetes.io/managed-by": "npu-farm"}.items()
    )
    content = json.loads(base64.b64decode(found["data"][".dockerconfigjson"]))
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    entry = {"username": USER, "password": PASSWORD, "auth": pair}
    assert content == {"auths": {HOST: entry}}
    (pod,) = closed.pods_of(running)
    assert pod["spec"]["imagePullSecrets"] == [{"name": f"{attempt.pod_name}-registry"}]
    for text in (json.dumps(pod), caplog.text, everything_written()):
        assert not [said for said in (PASSWORD, pair, json.dumps(PASSWORD)[1:-1]) if said in text]

    registries.remove_login(login=login, by="alice@x.example", at=NOON)
    closed.watch()
    closed.work()
    running.refresh_from_db()
    assert (running.state, running.attempt_no) == (State.RUNNING, 1)
    late = closed.until(closed.launch(name="third"), State.STARTING)
    until_it_says(closed, late, "authorization failed")

    for instance in (bare, running, late):
        end(closed, instance)
    with pytest.raises(NotFound):
        secret_of(closed.cluster, attempt)
    assert not ConfidedSecret.objects.filter(deleted_at=None).exists()


def test_a_wrong_password_is_told_and_the_next_start_has_the_new_one(closed: Farm) -> None:
    store(closed.account.tenant_id, password=OTHER)
    instance = closed.until(closed.launch(), State.STARTING)
    until_it_says(closed, instance, "401 Unauthorized")
    store(closed.account.tenant_id)
    stopping.stop_instance(instance=instance, at=timezone.now())
    closed.until(instance, State.STOPPED)
    stopping.start_instance(instance=instance, at=timezone.now())
    closed.until(instance, State.RUNNING)
    end(closed, instance)
    assert [one.deleted_at is not None for one in ConfidedSecret.objects.all()] == [True, True]


def test_a_login_replaced_between_its_secret_and_the_pod_makes_another_attempt(
    closed: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(closed.account.tenant_id, password=OTHER)
    created, applied = asking.create_pod, []

    class Killed(BaseException):
        pass

    def die(*given: Any) -> Manifest:
        monkeypatch.setattr(asking, "create_pod", created)
        raise Killed

    def apply(cluster: Cluster, manifest: Manifest) -> None:
        applied.append(manifest["metadata"]["name"])
        write(cluster, manifest)

    write = storing.apply_secret
    monkeypatch.setattr(storing, "apply_secret", apply)
    monkeypatch.setattr(asking, "create_pod", die)
    instance = closed.launch()
    with pytest.raises(Killed):
        closed.until(instance, State.RUNNING)
    store(closed.account.tenant_id)
    past = timezone.now() - timedelta(minutes=5)
    Instance.objects.filter(pk=instance.pk).update(lease_until=past, next_reconcile_at=past)

    closed.until(instance, State.RUNNING)
    assert [a.state for a in instance.attempts.order_by("no")] == ["gone", "created"]
    assert applied == [f"{a.pod_name}-registry" for a in instance.attempts.order_by("no")]
    confiding.clear_away(at=timezone.now())
    left = ConfidedSecret.objects.filter(deleted_at=None)
    assert [one.attempt.no for one in left] == [2]
    end(closed, instance)


def test_the_login_is_the_one_of_the_images_registry_and_of_its_tenant(db: None) -> None:
    factory.load_catalog()
    mine, theirs = factory.open_account(), factory.open_account()
    for account in (mine, theirs):
        images.allow_image(
            tenant_id=account.tenant_id, pattern="r.example:5000/a/*", by="Erin", at=NOON
        )
    image = "r.example:5000/a/b:1"
    instance = factory.launch(account=mine, own_image=image)
    other = factory.launch(account=theirs, own_image=image)
    for host in ("r.example", "a.r.example:5000", "r.example:500"):
        store(mine.tenant_id, host=host)
    assert registries.login_for(instance) is None
    login = store(mine.tenant_id, host="R.example:5000")
    assert registries.login_for(instance) == login
    assert registries.login_for(other) is None
    assert registries.logins_for([instance, other]) == {instance.pk: login}


def test_another_password_is_another_row_and_the_old_one_is_forgotten(db: None) -> None:
    first = store(7)
    second = registries.store_login(
        tenant_id=7, host=HOST, username="robot-2", password=OTHER, by="bob", at=LATER
    )
    assert list(registries.logins_of(7)) == [second]
    first.refresh_from_db()
    assert (first.removed_by, first.removed_at) == ("bob", LATER)
    assert first.password_sealed is None
    registries.remove_login(login=second, by="carol", at=LATER)
    registries.remove_login(login=second, by="dave", at=LATER)
    second.refresh_from_db()
    assert (second.removed_by, second.password_sealed) == ("carol", None)
    assert not registries.logins_of(7).exists()


def test_the_database_keeps_one_login_per_registry_and_no_password_of_a_removed_one(
    db: None,
) -> None:
    login = store(7)
    with pytest.raises(IntegrityError, match="keeps_its_password"):
        RegistryLogin.objects.filter(pk=login.pk).update(removed_at=NOON)


@pytest.mark.parametrize(
    "host",
    ["", "localhost", "https://r.example", "r.example/", "r.example/team", "r_x.example",
     "-r.example", "r.example-", "r..example", ".example", "r.example.", "r.example:",
     "r.example:0", "r.example:65536", "r.example:port", "user@r.example", "r.example\n",
     "r.example\x00", "r.example ", "r.éxample", "[::1]:5000", "*.example", f"{'a' * 64}.example",
     "a." * 130 + "example"],
)  # fmt: skip
def test_what_is_no_host_is_refused(db: None, host: str) -> None:
    with pytest.raises(IllegalRegistryLogin, match="host name alone"):
        store(7, host=host)
    assert not RegistryLogin.objects.exists()


@pytest.mark.parametrize(
    "host", ["r.example", "r.example:5000", "a-b.r2.example:65535", "10.0.0.1:80"]
)
def test_what_begins_an_images_reference_is_a_host(db: None, host: str) -> None:
    images.check_reference(f"{host}/a/b:1")
    assert registries.host_of(f"{host}/a/b@sha256:{'0' * 64}") == store(7, host=host).host


@pytest.mark.parametrize(
    ("username", "password", "says"),
    [
        ("", "secret-x", "user name is empty"),
        ("  ", "secret-x", "user name is empty"),
        ("robot", "", "password is empty"),
        ("ro:bot", "secret-x", "no colon"),
        ("ro\nbot", "secret-x", "control characters"),
        ("robot", "secret-x\r\n", "control characters"),
        ("robot", "secret-x\x00", "control characters"),
        ("robot", "secret-x\x85", "control characters"),
        ("robot", "secret-x\ud800", "control characters"),
        ("r" * 256, "secret-x", "user name is too long"),
        ("robot", "secret-x" * 1025, "password is too long"),
        ("robot", "한" * 4000, "password is too long"),
    ],
)
def test_what_cannot_be_said_to_a_registry_is_refused_without_repeating_it(
    username: str, password: str, says: str
) -> None:
    with pytest.raises(IllegalRegistryLogin, match=says) as refused:
        registries.check_login(host=HOST, username=username, password=password)
    assert "secret-x" not in str(refused.value)
