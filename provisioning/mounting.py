"""Write what a pod has of volumes and secrets: values in, parts of its manifest out.

Pure, like `manifests`, which puts the parts in place.  A pod refers to claims and to Secret
objects by name; a secret's value is in neither its manifest nor its environment.
"""

from typing import Any, Final

from provisioning.specs import PodSpec
from provisioning.states import SecretKind

SECRETS_PATH: Final = "/run/npu-secrets"
_SECRETS: Final = "secrets"
# The container's group may read, nobody may write.
_MODE: Final = 0o440


def volumes_of(spec: PodSpec) -> list[dict[str, Any]]:
    """Return the pod's volumes."""
    found: list[dict[str, Any]] = [
        {"name": f"volume-{no}", "persistentVolumeClaim": {"claimName": claim.claim_name}}
        for no, claim in enumerate(spec.claims)
    ]
    if spec.confided and spec.confided.files:
        items = [
            {"key": f"{SecretKind.FILE.value}.{name}", "path": name} for name in spec.confided.files
        ]
        secret = {
            "secretName": spec.confided.secret_name,
            "items": items,
            "defaultMode": _MODE,
        }
        found.append({"name": _SECRETS, "secret": secret})
    return found


def mounts_of(spec: PodSpec) -> list[dict[str, Any]]:
    """Return where the container finds the pod's volumes."""
    found: list[dict[str, Any]] = [
        {"name": f"volume-{no}", "mountPath": claim.path} for no, claim in enumerate(spec.claims)
    ]
    if spec.confided and spec.confided.files:
        found.append({"name": _SECRETS, "mountPath": SECRETS_PATH, "readOnly": True})
    return found


def variables_of(spec: PodSpec) -> list[dict[str, Any]]:
    """Return the variables whose values are in the Secret object."""
    if spec.confided is None:
        return []
    name = spec.confided.secret_name
    return [
        {
            "name": variable,
            "valueFrom": {
                "secretKeyRef": {"name": name, "key": f"{SecretKind.ENV.value}.{variable}"}
            },
        }
        for variable in spec.confided.variables
    ]


def pull_secrets_of(spec: PodSpec) -> list[dict[str, Any]]:
    """Return what the kubelet shows to the image's registry."""
    return [{"name": spec.pulled_with.secret_name}] if spec.pulled_with else []
