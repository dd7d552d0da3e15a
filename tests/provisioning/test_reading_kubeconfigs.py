"""A kubeconfig may bring credentials along and nothing else."""

import base64
from typing import Any

import pytest
import yaml
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from provisioning.cluster import kubeconfigs
from provisioning.cluster.sealing import seal, unseal
from provisioning.errors import KubeconfigRefused
from provisioning.models import Cluster
from tests.factories import provisioning as factory


def kubeconfig(**changes: Any) -> dict[str, Any]:
    cluster = {"server": "https://cluster.example:6443", **changes.pop("cluster", {})}
    user = {"token": "secret-token", **changes.pop("user", {})}
    return {
        "apiVersion": "v1",
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        **changes,
    }


def test_inline_credentials_are_taken() -> None:
    parsed = kubeconfigs.parse_kubeconfig(yaml.safe_dump(kubeconfig()))
    assert parsed["clusters"][0]["cluster"] == {"server": "https://cluster.example:6443"}
    assert parsed["users"][0]["user"] == {"token": "secret-token"}


def test_contexts_other_than_the_current_one_are_left_behind() -> None:
    config = kubeconfig()
    config["users"].append({"name": "other", "user": {"exec": {"command": "evil"}}})
    assert "evil" not in str(kubeconfigs.parse_kubeconfig(yaml.safe_dump(config)))


@pytest.mark.parametrize(
    "changes",
    [
        {"user": {"exec": {"command": "aws"}}},
        {"user": {"auth-provider": {"name": "oidc"}}},
        {"user": {"tokenFile": "/var/run/token"}},
        {"user": {"client-certificate": "/etc/cert"}},
        {"user": {"client-key": "/etc/key"}},
        {"user": {"as": "system:admin"}},
        {"user": {"username": "admin", "password": "secret"}},
        {"users": [{"name": "u", "user": {}}]},
        {"cluster": {"server": "https://admin:secret@cluster.example:6443"}},
        {"cluster": {"certificate-authority": "/etc/ca"}},
        {"cluster": {"proxy-url": "http://proxy"}},
        {"cluster": {"server": ""}},
        {"cluster": {"server": "ftp://cluster"}},
        {"cluster": {"server": "file:///etc/passwd"}},
        {"cluster": {"server": 7}},
        {"cluster": {"insecure-skip-tls-verify": "yes"}},
        {"cluster": {"certificate-authority-data": "not base64!"}},
        {"user": {"client-certificate-data": base64.b64encode(b"c").decode()}},
        {"user": {"token": "two\nlines"}},
        {"current-context": "missing"},
        {"contexts": "none"},
        {"clusters": [{"name": "other", "cluster": {"server": "https://x"}}]},
        {"users": ["odd"]},
    ],
)
def test_what_would_run_or_read_something_here_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(KubeconfigRefused):
        kubeconfigs.parse_kubeconfig(yaml.safe_dump(kubeconfig(**changes)))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "hello", "a: b: c", "!!python/object/apply:os.system [ls]", "x" * 300_000],
)
def test_what_does_not_parse_is_refused(text: str) -> None:
    with pytest.raises(KubeconfigRefused):
        kubeconfigs.parse_kubeconfig(text)


def test_a_refusal_does_not_repeat_the_secret() -> None:
    config = kubeconfig(user={"exec": {"command": "aws"}})
    with pytest.raises(KubeconfigRefused) as refused:
        kubeconfigs.parse_kubeconfig(yaml.safe_dump(config))
    assert "secret-token" not in refused.value.message


def test_a_kubeconfig_rests_unreadable(db: None) -> None:
    cluster = factory.reach_cluster(yaml.safe_dump(kubeconfig()))
    stored = bytes(Cluster.objects.get(pk=cluster.pk).kubeconfig_encrypted)
    assert b"secret-token" not in stored
    assert unseal(stored)["users"][0]["user"]["token"] == "secret-token"


def test_a_kubeconfig_sealed_with_another_key_is_refused(settings: Settings) -> None:
    sealed = seal(kubeconfig())
    settings.FARM_ENCRYPTION_KEY = "m1vXvSjbMvAhGkSVwzQzJPsPbdkFgzF4ZUhxyGOqjRg="
    with pytest.raises(KubeconfigRefused):
        unseal(sealed)


def test_keys_can_be_changed(settings: Settings) -> None:
    old = settings.FARM_ENCRYPTION_KEY
    sealed = seal(kubeconfig())
    settings.FARM_ENCRYPTION_KEY = f"m1vXvSjbMvAhGkSVwzQzJPsPbdkFgzF4ZUhxyGOqjRg=,{old}"
    assert unseal(sealed) == kubeconfig()


def test_without_a_key_nothing_is_sealed(settings: Settings) -> None:
    settings.FARM_ENCRYPTION_KEY = ""
    with pytest.raises(ImproperlyConfigured):
        seal(kubeconfig())
