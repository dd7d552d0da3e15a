"""Secrets of instances: said once, sealed, in one pod's reach, gone with it."""

import base64
import logging
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from provisioning import confiding, images, stopping
from provisioning.cluster import connections, requests
from provisioning.cluster.errors import NotFound
from provisioning.cluster.requests import Request
from provisioning.errors import IllegalImagePattern, IllegalSecret, ImageNotAllowed
from provisioning.models import Cluster, ConfidedSecret, Instance, InstanceSecret
from provisioning.specs import SecretText
from provisioning.states import SecretKind, State
from tests.factories import provisioning as factory
from tests.provisioning.farms import Farm

PASSWORD = "correct horse battery staple"
KEY_FILE = "-----BEGIN KEY-----\nabc$(HOME)\n"
GIVEN = (
    SecretText(SecretKind.ENV, "DB_PASSWORD", PASSWORD),
    SecretText(SecretKind.FILE, "id.key", KEY_FILE),
)


def secret_of(cluster: Cluster, instance: Instance) -> dict[str, Any]:
    attempt = instance.attempts.get()
    path = f"/api/v1/namespaces/{attempt.namespace}/secrets/{attempt.pod_name}"
    asked = Request(method="GET", path=path)
    return requests.ask(connections.connection_to(cluster), asked)


def everything_written() -> str:
    """Every row of the database, as text: bytes included, as they lie there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        tables = [name for (name,) in cursor.fetchall()]
        texts = []
        for table in tables:
            cursor.execute(f"SELECT coalesce(string_agg(t::text, chr(10)), '') FROM \"{table}\" t")
            texts.append(cursor.fetchone()[0])
    return "\n".join(texts)


def test_an_instance_gets_its_secrets_and_nobody_else_does(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    instance = farm.until(farm.launch(secrets=GIVEN, wants_token=True), State.RUNNING)

    found = secret_of(farm.cluster, instance)
    assert found["immutable"] is True
    told = {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
    token = told.pop("env.JUPYTER_TOKEN")
    assert told == {"env.DB_PASSWORD": PASSWORD, "file.id.key": KEY_FILE}
    assert confiding.notebook_token(instance) == token
    assert len(token) > 30

    pod = str(farm.pods_of(instance))
    for value in (PASSWORD, KEY_FILE, token):
        assert value not in pod
        assert value not in caplog.text
        assert value not in everything_written()
        assert base64.b64encode(value.encode()).decode() not in pod

    stopping.terminate_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.TERMINATED)
    assert confiding.clear_away(at=timezone.now()) == 1
    with pytest.raises(NotFound):
        secret_of(farm.cluster, instance)
    assert not InstanceSecret.objects.exclude(value_sealed=None).exists()
    assert confiding.notebook_token(instance) is None
    assert [one.name for one in instance.secrets.order_by("name")] == [
        "DB_PASSWORD",
        "JUPYTER_TOKEN",
        "id.key",
    ]


def test_a_new_attempt_has_a_copy_of_its_own(farm: Farm) -> None:
    instance = farm.until(farm.launch(secrets=GIVEN), State.RUNNING)
    stopping.stop_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.STOPPED)
    confiding.clear_away(at=timezone.now())
    stopping.start_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.RUNNING)
    first, second = ConfidedSecret.objects.order_by("pk")
    assert first.deleted_at is not None
    assert second.deleted_at is None
    assert first.name != second.name
    assert instance.secrets.exclude(value_sealed=None).count() == 2


def test_an_instance_without_secrets_costs_no_call(farm: Farm) -> None:
    farm.until(farm.launch(), State.RUNNING)
    assert not ConfidedSecret.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        SecretText(SecretKind.ENV, "", "x"),
        SecretText(SecretKind.ENV, "A B", "x"),
        SecretText(SecretKind.ENV, "A=B", "x"),
        SecretText(SecretKind.ENV, "NPU_FARM_INSTANCE", "x"),
        SecretText(SecretKind.ENV, "PLAIN", "x"),
        SecretText(SecretKind.ENV, "A", ""),
        SecretText(SecretKind.ENV, "A", "x\x00"),
        SecretText(SecretKind.ENV, "A", "\ud800"),
        SecretText(SecretKind.ENV, "A", "x" * 300_000),
        SecretText(SecretKind.FILE, "../x", "x"),
        SecretText(SecretKind.FILE, ".hidden", "x"),
        SecretText(SecretKind.FILE, "a/b", "x"),
    ],
    ids=lambda text: f"{text.kind}-{text.name}",
)
def test_what_cannot_be_a_secret_is_refused_without_its_value(text: SecretText) -> None:
    with pytest.raises(IllegalSecret) as refused:
        confiding.check_secrets([text], variables=["PLAIN"])
    assert "x" * 20 not in str(refused.value)
    assert "value" not in repr(text)


def test_a_spec_says_other_values_by_a_keyed_digest_only(db: None) -> None:
    factory.load_catalog()
    account = factory.open_account()
    one, two = (
        factory.launch(account=account, secrets=(SecretText(SecretKind.ENV, "A", value),))
        for value in ("hunter2", "hunter3")
    )
    digests = {
        given.digest
        for given in (confiding.confided_to(i, secret_name="s") for i in (one, two))
        if given
    }
    assert len(digests) == 2
    assert confiding.confided_to(one, secret_name="s") == confiding.confided_to(
        one, secret_name="s"
    )


def test_images_of_their_own_are_started_by_whom_they_are_allowed_to(db: None) -> None:
    factory.load_catalog()
    account = factory.open_account()
    mine = "registry.example/bada/vision:2"
    with pytest.raises(ImageNotAllowed):
        factory.launch(account=account, own_image=mine)
    allowed = images.allow_image(
        tenant_id=account.tenant_id, pattern="registry.example/bada/*", by="Erin", at=factory.NOON
    )
    instance = factory.launch(account=account, own_image=mine)
    assert instance.image == mine
    images.require_still_allowed(instance)
    with pytest.raises(ImageNotAllowed):
        factory.launch(own_image=mine)

    images.withdraw_image(image=allowed, by="Erin", at=factory.NOON)
    with pytest.raises(ImageNotAllowed):
        factory.launch(account=account, own_image=mine)
    with pytest.raises(ImageNotAllowed):
        images.require_still_allowed(instance)


DIGEST = f"@sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("pattern", "reference", "fits"),
    [
        ("r.example/a/*", "r.example/a/b:1", True),
        ("r.example/a/*", "r.example/a/b/c:1", True),
        ("r.example/a/*", "r.example/ab:1", False),
        ("r.example/a/*", "r.example.evil.example/a/b:1", False),
        ("r.example/*", "r.example/a:1", True),
        ("r.example/a", "r.example/a:1", True),
        ("r.example/a", "r.example/a/b:1", False),
        ("r.example/a:1", "r.example/a:1", True),
        ("r.example/a:1", "r.example/a:2", False),
        ("r.example/a:1", f"r.example/a{DIGEST}", False),
        # The digest is what runs, whatever the tag beside it says.
        ("r.example/a:1", f"r.example/a:1{DIGEST}", False),
        (f"r.example/a:1{DIGEST}", f"r.example/a:1{DIGEST}", True),
        ("r.example/a", f"r.example/a{DIGEST}", True),
        (f"r.example/a{DIGEST}", f"r.example/a:1{DIGEST}", True),
        (f"r.example/a{DIGEST}", "r.example/a:1", False),
    ],
)
def test_patterns_let_through_what_they_say(pattern: str, reference: str, fits: bool) -> None:
    assert images.allows(pattern, reference) is fits


@pytest.mark.parametrize(
    "pattern", ["*", "*/a", "r.example", "r.*/a", "r.example/a*", "r.example/*/b", "a/b", ""]
)
def test_a_pattern_that_would_let_too_much_through_is_none(db: None, pattern: str) -> None:
    with pytest.raises(IllegalImagePattern):
        images.allow_image(tenant_id=1, pattern=pattern, by="Erin", at=factory.NOON)


def test_a_key_pasted_where_a_name_belongs_is_not_repeated() -> None:
    pasted = SecretText(kind=SecretKind.ENV, name="-----BEGIN PRIVATE KEY-----MIIE", value="x")
    with pytest.raises(IllegalSecret) as refused:
        confiding.check_secrets([pasted])
    assert "MIIE" not in str(refused.value)
    assert "Number 1" in str(refused.value)
