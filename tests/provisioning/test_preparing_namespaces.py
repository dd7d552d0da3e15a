"""A namespace is prepared in as many passes as its cluster needs, and none is begun too late."""

from collections.abc import Iterator
from typing import Any

import pytest

from provisioning import installation, namespacing
from provisioning.cluster import asking
from provisioning.cluster.errors import PermissionDenied
from provisioning.models import Cluster, TenantNamespace
from tests.factories.provisioning import NOON

TENANT = 7


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    kinds: list[str] = []
    monkeypatch.setattr(asking, "apply", lambda cluster, manifest: kinds.append(manifest["kind"]))
    return kinds


def prepare(cluster: Cluster, times: Iterator[bool]) -> None:
    marks = installation.current()
    words: dict[str, Any] = {"cluster": cluster, "tenant_id": TENANT, "marks": marks}
    hashed = namespacing.prepare(**words, has_time=lambda: next(times))
    namespacing.remember(**words, applied_hash=hashed, at=NOON)


def is_ready(cluster: Cluster) -> bool:
    marks = installation.current()
    return namespacing.is_ready(cluster=cluster, tenant_id=TENANT, marks=marks)


def test_a_slow_cluster_takes_one_object_a_pass(cluster: Cluster, applied: list[str]) -> None:
    passes = 0
    while not is_ready(cluster):
        before = len(applied)
        prepare(cluster, iter([False]))
        passes += 1
        assert len(applied) == before + 1
        assert passes < 20
    assert applied[0] == "Namespace"
    assert len(applied) == passes > 5
    assert len([kind for kind in applied if kind == "Namespace"]) == 1


def test_what_has_changed_meanwhile_is_applied_from_the_beginning(
    cluster: Cluster, applied: list[str]
) -> None:
    prepare(cluster, iter([True, False]))
    TenantNamespace.objects.update(applied_hash="of another wish")
    prepare(cluster, iter([False]))
    assert applied.count("Namespace") == 2


def test_a_fresh_binding_is_waited_for_and_a_missing_right_is_not(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = 3

    def apply(cluster: Cluster, manifest: dict[str, Any]) -> None:
        nonlocal refusals
        if manifest["kind"] == "ServiceAccount" and refusals:
            refusals -= 1
            raise PermissionDenied

    monkeypatch.setattr(asking, "apply", apply)
    monkeypatch.setattr(namespacing, "BINDING_PAUSE", 0.0)
    with pytest.raises(PermissionDenied):
        prepare(cluster, iter([True] * 50))
    refusals = 3
    cluster.probe = {"bindings": {"worker": "system:serviceaccount:s:w"}}
    cluster.save()
    prepare(cluster, iter([True] * 50))
    assert (refusals, is_ready(cluster)) == (0, True)
