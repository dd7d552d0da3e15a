"""The manifests grant what the table says: everything in it, and nothing beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioning import manifests, marking, names, namespaces, permissions
from provisioning.permissions import PERMISSIONS, ROLES
from provisioning.specs import NamespaceSpec
from provisioning.states import Identity
from tests.factories import provisioning as factory

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
Grant = tuple[str, str, str, str]


def documents(file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / file).read_text()))


def granted(role: dict[str, Any]) -> Iterator[Grant]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames") or ("",):
                        yield group, resource, verb, name


def in_table(role_name: str) -> set[Grant]:
    identity, scope = next(key for key, name in ROLES.items() if name == role_name)
    wanted = permissions.wanted(identity=identity, scope=scope)
    return {(one.group, one.resource, one.verb, one.name) for one in wanted}


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in documents("rbac.yaml") if one["kind"] == kind]


def test_there_is_one_role_for_every_part_of_the_table() -> None:
    assert {role["metadata"]["name"] for role in of_kind("ClusterRole")} == set(ROLES.values())


@pytest.mark.parametrize("role", of_kind("ClusterRole"), ids=lambda role: role["metadata"]["name"])
def test_a_role_grants_exactly_what_the_table_says(role: dict[str, Any]) -> None:
    assert set(granted(role)) == in_table(role["metadata"]["name"])


@pytest.mark.parametrize("role", of_kind("ClusterRole"), ids=lambda role: role["metadata"]["name"])
def test_no_role_grants_what_nobody_should_have(role: dict[str, Any]) -> None:
    for group, resource, verb, name in granted(role):
        assert "*" not in (group, resource, verb, name)
        assert verb not in ("escalate", "impersonate", "deletecollection")
        if resource == "secrets":
            assert verb not in ("get", "list", "watch")
        if verb == "bind":
            assert name in permissions.TENANT_ROLES.values()


def test_only_roles_of_the_whole_cluster_are_bound_there() -> None:
    bound = {one["roleRef"]["name"]: one["subjects"] for one in of_kind("ClusterRoleBinding")}
    everywhere = {name for (_, scope), name in ROLES.items() if scope == "cluster"}
    assert bound.keys() == everywhere
    for name, subjects in bound.items():
        assert [(one["kind"], one["name"]) for one in subjects] == [("ServiceAccount", name)]


def test_the_watcher_changes_nothing() -> None:
    verbs = {verb for row in PERMISSIONS if row.identity is Identity.WATCHER for verb in row.verbs}
    assert verbs <= {"get", "list", "watch"}


def test_every_policy_is_in_force() -> None:
    found = documents("admission-policy.yaml")
    policies = [one for one in found if one["kind"] == "ValidatingAdmissionPolicy"]
    bindings = [one for one in found if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert {one["metadata"]["name"] for one in policies} == {
        one["spec"]["policyName"]
        for one in bindings
        if one["spec"]["validationActions"] == ["Deny"]
    }
    assert {one["spec"]["failurePolicy"] for one in policies} == {"Fail"}


def test_a_namespace_is_held_to_the_version_the_policy_asks_for() -> None:
    found = documents("admission-policy.yaml")
    (policy,) = (
        one
        for one in found
        if one["kind"] == "ValidatingAdmissionPolicy"
        and one["metadata"]["name"] == "npu-farm-namespaces"
    )
    asked = " ".join(one["expression"] for one in policy["spec"]["validations"])
    version = f'enforce-version"].orValue("") == "{namespaces.POD_SECURITY_VERSION}"'
    assert version in asked
    own = marking._manifest(factory.MARKS, 1)["metadata"]["labels"]
    assert own["pod-security.kubernetes.io/enforce-version"] == namespaces.POD_SECURITY_VERSION


# --- the objects of a tenant's namespace ------------------------------------------------------

SPEC = NamespaceSpec(
    marks=factory.MARKS,
    name="npu-test0001-t7",
    tenant_id=7,
    devices=((factory.RNGD, 16),),
    bindings=((Identity.WORKER, "system:serviceaccount:s:w"), (Identity.ACCESS, "alice")),
)


def objects(kind: str) -> list[dict[str, Any]]:
    return [one for one in namespaces.objects_for(SPEC) if one["kind"] == kind]


def test_roles_are_bound_before_anything_that_needs_them() -> None:
    kinds = [one["kind"] for one in namespaces.objects_for(SPEC)]
    assert kinds[:3] == ["Namespace", "RoleBinding", "RoleBinding"]
    worker, access = objects("RoleBinding")
    assert worker["roleRef"]["name"] == "npu-farm-tenant-worker"
    assert [one["name"] for one in worker["subjects"]] == ["system:serviceaccount:s:w"]
    assert (access["roleRef"]["name"], access["subjects"][0]["name"]) == (
        "npu-farm-tenant-access",
        "alice",
    )


def test_nobody_is_bound_who_may_act_everywhere() -> None:
    bare = NamespaceSpec(marks=factory.MARKS, name="n", tenant_id=7)
    assert not [one for one in namespaces.objects_for(bare) if one["kind"] == "RoleBinding"]


def test_a_namespace_is_walled_in_and_bounded() -> None:
    labels = objects("Namespace")[0]["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"] == "v1.34"
    hard = objects("ResourceQuota")[0]["spec"]["hard"]
    assert hard[f"requests.{factory.RNGD}"] == "16"
    assert (hard["services.nodeports"], hard["services.loadbalancers"]) == ("0", "0")
    assert {"pods", "persistentvolumeclaims", "count/secrets", "count/services"} <= hard.keys()
    assert objects("LimitRange")[0]["spec"]["limits"][0]["defaultRequest"]
    assert objects("ServiceAccount")[0]["automountServiceAccountToken"] is False
    policies = {one["metadata"]["name"]: one["spec"] for one in objects("NetworkPolicy")}
    deny = policies["deny-all"]
    assert (deny["podSelector"], deny["policyTypes"]) == ({}, ["Ingress", "Egress"])
    assert not deny.keys() & {"ingress", "egress"}
    internet = policies["allow-internet"]["egress"][1]["to"][0]["ipBlock"]
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"} <= set(internet["except"])


def test_every_kind_we_apply_is_in_the_table() -> None:
    written = {row.resource for row in PERMISSIONS if {"create", "patch"} <= set(row.verbs)}
    plurals = {
        "Namespace": "namespaces",
        "RoleBinding": "rolebindings",
        "ServiceAccount": "serviceaccounts",
        "ResourceQuota": "resourcequotas",
        "LimitRange": "limitranges",
        "NetworkPolicy": "networkpolicies",
    }
    for manifest in namespaces.objects_for(SPEC):
        assert plurals[manifest["kind"]] in written


def test_our_pods_are_what_the_policy_lets_through() -> None:
    pod = manifests.pod_for(factory.pod_spec())
    assert pod["metadata"]["labels"][names.MANAGED_BY] == "npu-farm"
    assert pod["spec"]["serviceAccountName"] == "npu-instance"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert "hostPath" not in str(pod["spec"])
