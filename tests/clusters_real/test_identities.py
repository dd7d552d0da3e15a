"""Who we are on a cluster: three identities, each with everything it needs and nothing more.

Needs a cluster with RBAC, and a CLUSTER_KUBECONFIG that may apply `deploy/`: the sandbox
knows one user, who may do everything.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioning import namespaces, permissions
from provisioning.permissions import Scope, Wanted
from provisioning.states import Identity

pytestmark = pytest.mark.skipif(
    "CLUSTER_KUBECONFIG" not in os.environ or shutil.which("kubectl") is None,
    reason="rbac: needs kubectl and a real cluster in CLUSTER_KUBECONFIG",
)

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
HOME, ELSEWHERE = "npu-0ff1ce-t1", "default"
LABELS = {
    "app.kubernetes.io/managed-by": "npu-farm",
    "app.kubernetes.io/instance": "0ff1ce",
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": namespaces.POD_SECURITY_VERSION,
}
SUBJECT = "system:serviceaccount:npu-farm-system:npu-farm-{}"
# What somebody with a stolen token would like to do, and no identity may, anywhere.
NEVER = [
    ("*", "*", ""),
    ("get", "secrets", ""),
    ("list", "secrets", ""),
    ("create", "clusterrolebindings", "rbac.authorization.k8s.io"),
    ("escalate", "clusterroles", "rbac.authorization.k8s.io"),
    ("bind", "clusterroles/cluster-admin", "rbac.authorization.k8s.io"),
    ("impersonate", "users", ""),
    ("delete", "namespaces", ""),
    ("delete", "nodes", ""),
    ("patch", "nodes", ""),
    ("create", "serviceaccounts/token", ""),
    ("get", "nodes/proxy", ""),
    ("create", "pods/attach", ""),
    ("create", "deployments", "apps"),
    ("create", "validatingwebhookconfigurations", "admissionregistration.k8s.io"),
]


def kubectl(*words: str, body: object = None, check: bool = True) -> str:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", os.environ["CLUSTER_KUBECONFIG"], *words],
        input=None if body is None else json.dumps(body),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def applied() -> Iterator[None]:
    """The manifests of `deploy/`, and one tenant's namespace as the worker makes it."""
    files = [str(DEPLOY / name) for name in ("rbac.yaml", "admission-policy.yaml")]
    kubectl("apply", "-f", files[0], "-f", files[1])
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": HOME, "labels": LABELS},
    }
    worker = SUBJECT.format("worker")
    kubectl("create", "--as", worker, "-f", "-", body=namespace)
    for identity, role in permissions.TENANT_ROLES.items():
        binding = role_binding(HOME, role, SUBJECT.format(identity))
        kubectl("create", "--as", worker, "-f", "-", body=binding)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "npu-instance"}}
    kubectl("create", "--as", worker, "--namespace", HOME, "-f", "-", body=account)
    yield
    kubectl("delete", "namespace", HOME, "--wait=false")


def role_binding(namespace: str, role: str, user: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def can(identity: str, verb: str, resource: str, group: str, *, name: str, namespace: str) -> bool:
    kind, _, subresource = resource.partition("/")
    words = ["auth", "can-i", verb, f"{kind}.{group}" if group else kind]
    if name:
        words[-1] += f"/{name}"
    if subresource:
        words.append(f"--subresource={subresource}")
    words += [f"--namespace={namespace}"] if namespace else ["--all-namespaces"]
    said = kubectl(*words, "--as", SUBJECT.format(identity), check=False)
    return said.split("\n")[0].strip() == "yes" or "\nyes" in said


def may(wanted: Wanted, *, namespace: str) -> bool:
    return can(
        wanted.identity,
        wanted.verb,
        wanted.resource,
        wanted.group,
        name=wanted.name,
        namespace=namespace,
    )


def everything(scope: Scope) -> list[Wanted]:
    return [one for who in Identity for one in permissions.wanted(identity=who, scope=scope)]


def told(one: Wanted) -> str:
    return f"{one.identity}: {one}"


@pytest.mark.parametrize("wanted", everything(Scope.CLUSTER), ids=told)
def test_what_is_needed_everywhere_is_allowed(applied: None, wanted: Wanted) -> None:
    assert may(wanted, namespace="")


@pytest.mark.parametrize("wanted", everything(Scope.TENANT), ids=told)
def test_what_is_needed_in_tenants_namespaces_is_allowed_there_alone(
    applied: None, wanted: Wanted
) -> None:
    assert may(wanted, namespace=HOME)
    assert not may(wanted, namespace=ELSEWHERE)


@pytest.mark.parametrize("wanted", everything(Scope.TENANT), ids=told)
def test_what_one_identity_needs_another_has_not(applied: None, wanted: Wanted) -> None:
    table = {
        (row.identity, row.resource, verb) for row in permissions.PERMISSIONS for verb in row.verbs
    }
    for other in Identity:
        if (other, wanted.resource, wanted.verb) not in table:
            asked = {"name": wanted.name, "namespace": HOME}
            assert not can(other, wanted.verb, wanted.resource, wanted.group, **asked)


@pytest.mark.parametrize("identity", Identity)
@pytest.mark.parametrize(("verb", "resource", "group"), NEVER)
def test_nobody_may_do_what_a_thief_would_like(
    applied: None, identity: Identity, verb: str, resource: str, group: str
) -> None:
    name = "cluster-admin" if resource.endswith("/cluster-admin") else ""
    resource = resource.removesuffix("/cluster-admin")
    assert not can(identity, verb, resource, group, name=name, namespace=HOME)


# --- the policies ------------------------------------------------------------------------------


def pod(namespace: str, **spec: Any) -> dict[str, Any]:
    container = {
        "name": "npu",
        "image": "registry.local/npu-workspace:1",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "resources": {"limits": {"cpu": "10m", "memory": "16Mi"}},
        **spec.pop("container", {}),
    }
    labels = {key: LABELS[key] for key in list(LABELS)[:2]}
    body = {
        "serviceAccountName": "npu-instance",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        **spec,
    }
    metadata = {"name": "x", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}


def as_worker(body: dict[str, Any]) -> str:
    return kubectl(
        "create", "--as", SUBJECT.format("worker"), "--dry-run=server", "-f", "-", body=body,
        check=False,
    )  # fmt: skip


def tolerating(
    key: str, effect: str = "NoSchedule", *, limits: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    devices = {"furiosa.ai/rngd": "1"} if limits is None else limits
    asked = {"limits": {"cpu": "10m", "memory": "16Mi", **devices}}
    given = {"key": key, "operator": "Exists", "effect": effect, **more}
    wanted = {name: value for name, value in given.items() if value}
    return {"container": {"resources": asked}, "tolerations": [wanted]}


@pytest.mark.parametrize("changes", [{}, tolerating("furiosa.ai/npu")])
def test_a_pod_as_we_write_it_is_let_through(applied: None, changes: dict[str, Any]) -> None:
    assert "created (server dry run)" in as_worker(pod(HOME, **changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hostNetwork": True}, "stays out of its node's namespaces"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "mounts nothing of its node"),
        ({"container": {"securityContext": {"privileged": True}}}, "is privileged"),
        ({"container": {"securityContext": {}}}, "is privileged"),
        ({"automountServiceAccountToken": True}, "carries no token"),
        ({"serviceAccountName": "default"}, "carries no token"),
        ({"priorityClassName": "high"}, "goes before nobody else"),
        ({"nodeName": "lab-node"}, "goes where the scheduler puts it"),
        (tolerating(""), "tolerates what its own devices need"),
        (tolerating("node-role.kubernetes.io/control-plane"), "tolerates what its own"),
        (tolerating("node.kubernetes.io/unreachable", "NoExecute"), "tolerates what its own"),
        (tolerating("furiosa.ai/npu", ""), "tolerates what its own devices need"),
        (tolerating("dedicated"), "tolerates what its own devices need"),
        (tolerating("other.example/gpu"), "tolerates what its own devices need"),
        (
            tolerating("other.example/gpu", limits={"other.example/gpu": "0"}),
            "tolerates what its own devices need",
        ),
    ],
)
def test_a_pod_that_reaches_further_is_refused(
    applied: None, changes: dict[str, Any], said: str
) -> None:
    # Without Pod Security, so that the policy is seen to hold by itself.
    kubectl("label", "namespace", HOME, "pod-security.kubernetes.io/enforce=privileged",
            "--overwrite")  # fmt: skip
    high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 9000}
    kubectl("apply", "-f", "-", body={**high, "metadata": {"name": "high"}})
    try:
        assert said in as_worker(pod(HOME, **changes))
    finally:
        kubectl("delete", "priorityclass", "high", "--wait=false")
        kubectl("label", "namespace", HOME, "pod-security.kubernetes.io/enforce=restricted",
                "--overwrite")  # fmt: skip


def test_a_pod_without_our_labels_is_refused(applied: None) -> None:
    stray = pod(HOME)
    stray["metadata"]["labels"] = {}
    assert "carries its labels" in as_worker(stray)


def test_somebody_elses_namespace_is_not_taken_over(applied: None) -> None:
    patch = json.dumps({"metadata": {"labels": LABELS}})
    said = kubectl(
        "patch", "namespace", ELSEWHERE, "--as", SUBJECT.format("worker"), "-p", patch,
        "--dry-run=server", check=False,
    )  # fmt: skip
    assert "installation only" in said
    stranger = {"apiVersion": "v1", "kind": "Namespace"}
    assert "installation only" in as_worker(
        {**stranger, "metadata": {"name": "stranger", "labels": LABELS}}
    )
    unlabelled = {**stranger, "metadata": {"name": "npu-0ff1ce-t2"}}
    assert "Pod Security restricted" in as_worker(unlabelled)
    # What was restricted once let more through.
    for version in ("v1.0", "latest", None):
        labels = {**LABELS, "pod-security.kubernetes.io/enforce-version": version}
        given = {key: value for key, value in labels.items() if value}
        old = {**stranger, "metadata": {"name": "npu-0ff1ce-t2", "labels": given}}
        assert "Pod Security restricted" in as_worker(old)


def test_claims_in_a_namespace_of_ours_name_no_devices_that_others_hold(applied: None) -> None:
    said = kubectl(
        "label", "namespace", HOME, "resource.kubernetes.io/admin-access=true",
        "--as", SUBJECT.format("worker"), "--dry-run=server", check=False,
    )  # fmt: skip
    assert "reaches no devices that others hold" in said


def test_roles_are_bound_at_home_and_to_ourselves_alone(applied: None) -> None:
    role = permissions.TENANT_ROLES[Identity.WORKER]
    elsewhere = role_binding("kube-system", role, SUBJECT.format("worker"))
    assert "namespaces of the installation only" in as_worker(elsewhere)
    stranger = role_binding(HOME, role, "mallory")
    stranger["metadata"]["name"] = "other"
    assert "own identities only" in as_worker(stranger)
    admin = role_binding(HOME, "cluster-admin", SUBJECT.format("worker"))
    assert "forbidden" in as_worker(admin)
