"""A pod's service account: it has to exist, and its token is mounted unless the pod says no."""

from provisioning.sandbox import errors
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.defaulting.decorating import random_suffix
from provisioning.sandbox.kinds import PODS, SERVICE_ACCOUNTS
from provisioning.sandbox.objects import Json, name_of, namespace_of, spec, with_spec

_GROUPS = ("containers", "initContainers")
_MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


def with_account(cluster: Cluster, pod: Json) -> Json:
    """The pod with its account's token; refuses an account that is not there."""
    namespace, account = namespace_of(pod), str(spec(pod).get("serviceAccountName"))
    found = cluster.store.get(SERVICE_ACCOUNTS, namespace, account)
    if found is None and account != "default":
        why = (
            f"error looking up service account {namespace}/{account}:"
            f' serviceaccount "{account}" not found'
        )
        raise errors.forbidden(PODS, name_of(pod), why)
    if not _mounts(pod, found.object if found else {}):
        return pod
    return _with_token(pod)


def _mounts(pod: Json, account: Json) -> bool:
    wish = spec(pod).get("automountServiceAccountToken")
    if wish is None:
        wish = account.get("automountServiceAccountToken")
    has_mount = any(
        mount.get("mountPath") == _MOUNT_PATH
        for group in _GROUPS
        for container in _containers(pod, group)
        for mount in container.get("volumeMounts") or []
    )
    return wish is not False and not has_mount


def _containers(pod: Json, group: str) -> list[Json]:
    return [one for one in spec(pod).get(group) or [] if isinstance(one, dict)]


def _with_token(pod: Json) -> Json:
    name = f"kube-api-access-{random_suffix()}"
    mount = {"name": name, "readOnly": True, "mountPath": _MOUNT_PATH}
    groups = {
        group: [
            {**container, "volumeMounts": [*(container.get("volumeMounts") or []), mount]}
            for container in containers
        ]
        for group in _GROUPS
        if (containers := _containers(pod, group))
    }
    volumes = [*(spec(pod).get("volumes") or []), _volume(name)]
    return with_spec(pod, volumes=volumes, **groups)


def _volume(name: str) -> Json:
    reference = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", **reference}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}
