"""Turn specs into the objects we ask a cluster for: the pod of one attempt.

Pure: dictionaries out, nothing asked.  `namespaces` writes the objects a tenant's
namespace holds.  Every pod satisfies the `restricted` Pod Security standard: the device
plugin brings the device in through the kubelet, so nothing has to be privileged.
"""

import hashlib
import json
from typing import Any, Final

from provisioning import mounting, names
from provisioning.specs import PodSpec

Manifest = dict[str, Any]

# Any non-root user will do; one that is the same everywhere can be given the devices.
USER: Final = 1000


def pod_for(spec: PodSpec) -> Manifest:
    """Write the pod of one attempt, with its own hash and the wish behind it as annotations."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": spec.name,
            "namespace": spec.namespace,
            "labels": spec.marks.labels(
                tenant=str(spec.tenant_id),
                project=str(spec.project_id),
                instance=str(spec.instance_id),
                attempt=str(spec.attempt_no),
            ),
            "finalizers": [spec.marks.finalizer],
            **({"annotations": noted} if (noted := _confided(spec)) else {}),
        },
        "spec": _pod_body(spec),
    }
    # The wish is for whoever has forgotten the instance; what runs does not depend on it.
    manifest["metadata"]["annotations"] = {  # type: ignore[index]
        **noted,
        spec.marks.label("spec-hash"): digest(manifest),
        spec.marks.label("wish"): json.dumps(dict(spec.wish), sort_keys=True),
    }
    return manifest


def digest(content: object) -> str:
    """Return the same hash for the same content, whatever its order of keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def hash_of(manifest: Manifest, spec: PodSpec) -> str:
    """Read the hash a pod's manifest carries."""
    return str(manifest["metadata"]["annotations"][spec.marks.label("spec-hash")])


def _pod_body(spec: PodSpec) -> Manifest:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": names.SERVICE_ACCOUNT,
        "terminationGracePeriodSeconds": spec.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"nodeSelector": dict(spec.node_selector)} if spec.node_selector else {}),
        **({"affinity": _away_from(spec.avoided_nodes)} if spec.avoided_nodes else {}),
        "tolerations": [
            {"key": key, "operator": "Exists", "effect": "NoSchedule"}
            for key in spec.toleration_keys
        ],
        **({"volumes": volumes} if (volumes := mounting.volumes_of(spec)) else {}),
        **({"imagePullSecrets": named} if (named := mounting.pull_secrets_of(spec)) else {}),
        **({"resourceClaims": [_claim(spec)]} if spec.claim_template else {}),
        "containers": [_container(spec)],
    }


def _claim(spec: PodSpec) -> Manifest:
    return {"name": names.CLAIM, "resourceClaimTemplateName": spec.claim_template}


def _confided(spec: PodSpec) -> Manifest:
    # Their names are in the pod, their values are not: so that other values make another hash.
    noted = {spec.marks.label("secrets"): spec.confided.digest} if spec.confided else {}
    if spec.pulled_with:
        noted[spec.marks.label("registry-login")] = str(spec.pulled_with.login_id)
    return noted


def _away_from(nodes: tuple[str, ...]) -> Manifest:
    # By the node's name, not a label of it; one name per field is all the API takes.
    fields = [{"key": "metadata.name", "operator": "NotIn", "values": [node]} for node in nodes]
    required = {"nodeSelectorTerms": [{"matchFields": fields}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def _container(spec: PodSpec) -> Manifest:
    amounts = {
        "cpu": f"{spec.cpu_millicores}m",
        "memory": f"{spec.memory_mib}Mi",
        "ephemeral-storage": f"{spec.storage_gib}Gi",
        # Asked for in one place: as an amount, or by a claim.
        **({} if spec.claim_template else {spec.resource_name: str(spec.device_count)}),
    }
    claims = {"claims": [{"name": names.CLAIM}]} if spec.claim_template else {}
    return {
        "name": names.CONTAINER,
        "image": spec.image,
        "imagePullPolicy": "IfNotPresent",
        **({"command": [verbatim(word) for word in spec.command]} if spec.command else {}),
        "env": [*_environment(spec), *mounting.variables_of(spec)],
        "resources": {"requests": dict(amounts), "limits": dict(amounts), **claims},
        **({"volumeMounts": mounts} if (mounts := mounting.mounts_of(spec)) else {}),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
        },
    }


def _environment(spec: PodSpec) -> list[Manifest]:
    # Ours come last, so a tenant's variable of the same name does not hide them.
    variables = {
        **dict(spec.environment),
        "NPU_FARM_INSTANCE": str(spec.instance_id),
        "NPU_FARM_RESOURCE": spec.resource_name,
        "NPU_FARM_DEVICES": str(spec.device_count),
    }
    return [{"name": name, "value": verbatim(value)} for name, value in variables.items()]


def verbatim(text: str) -> str:
    """Keep the kubelet from expanding `$(NAME)` in a tenant's text."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def plain(text: str) -> str:
    """Read a tenant's text back from what `verbatim` made of it."""
    return text.replace("$$", "$")
