"""A real cluster known by three kubeconfigs, of which none may do everything.

Made as docs/clusters.md says, with an administrator's CLUSTER_KUBECONFIG; cleared away by
the administrator too, since no identity of ours may delete a namespace.
"""

import json
import os
import subprocess
from pathlib import Path

from django.utils import timezone

from provisioning import clusters, installation
from provisioning.models import Cluster
from provisioning.states import Identity

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def admit_cluster(*, name: str = "real") -> Cluster:
    """Apply the manifests of `deploy/` and add the cluster with an identity for each part."""
    _kubectl("apply", "-f", str(DEPLOY / "rbac.yaml"), "-f", str(DEPLOY / "admission-policy.yaml"))
    return clusters.admit_cluster(
        name=name,
        kubeconfig=_kubeconfig_of(Identity.WORKER),
        others={one: _kubeconfig_of(one) for one in (Identity.WATCHER, Identity.ACCESS)},
        at=timezone.now(),
    )


def clear() -> None:
    """Leave nothing of this installation on the cluster."""
    selector = f"app.kubernetes.io/instance={installation.current().key}"
    listed = json.loads(_kubectl("get", "pods", "-A", "-l", selector, "-o", "json"))
    for pod in listed["items"]:
        metadata = pod["metadata"]
        _kubectl("-n", metadata["namespace"], "patch", "pod", metadata["name"], "--type=merge",
                 "-p", '{"metadata":{"finalizers":null}}')  # fmt: skip
    _kubectl("delete", "namespace", "-l", selector, "--wait=false")


def _kubeconfig_of(identity: Identity) -> str:
    """Write the administrator's cluster with the service account's token."""
    config = json.loads(_kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    account = f"npu-farm-{identity}"
    token = _kubectl("-n", "npu-farm-system", "create", "token", account, "--duration=1h")
    context = config["contexts"][0]["context"]
    config["users"] = [{"name": context["user"], "user": {"token": token.strip()}}]
    return json.dumps(config)


def _kubectl(*words: str) -> str:
    given = os.environ["CLUSTER_KUBECONFIG"]
    done = subprocess.run(
        ["kubectl", "--kubeconfig", given, *words],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout
