"""Write the pods that examine a cluster, and read what became of them: pure, like `manifests`.

Each is a pod as a tenant's would be: restricted, as an ordinary user, without a token.  Its
answer is its exit code.  The variable `NPU_FARM_PROBE` says which question a container asks;
where containers are simulated, the world it finds is simulated by that word.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from provisioning import names
from provisioning.looking import Finding
from provisioning.manifests import USER, Manifest
from provisioning.models import Question, Verdict
from provisioning.names import Marks

Raw = Mapping[str, Any]

PROBER: Final = "npu-farm-probe"
"""Who manages these pods: the watcher follows `names.MANAGER`'s, and takes these for nobody's."""
LONGEST: Final = 120
PORT: Final = 8080
OPENED, NO_FILE, DENIED, NOT_CONNECTED = 0, 2, 3, 4

DEVICES: Final = "devices"
SERVER: Final = "server"
CLIENT: Final = "client"

_DEVICE_SCRIPT: Final = f"""
found= denied=
for file in /dev/* /dev/*/*; do
  [ -c "$file" ] || [ -b "$file" ] || continue
  case "$file" in
    /dev/null|/dev/zero|/dev/full|/dev/random|/dev/urandom|/dev/tty|/dev/console) continue ;;
    /dev/ptmx|/dev/pts/*) continue ;;
  esac
  found="$found $file"
  (exec 3<>"$file") 2>/dev/null || denied="$denied $file"
done
echo "found:$found denied:$denied" | tee /dev/termination-log
[ -n "$found" ] || exit {NO_FILE}
[ -z "$denied" ] || exit {DENIED}
"""
_SERVER_SCRIPT: Final = f"while true; do echo wall | nc -l -p {PORT}; done"
_CLIENT_SCRIPT: Final = f"""
for turn in 1 2 3; do
  [ "$(nc -w 3 "$NPU_FARM_TARGET" {PORT} </dev/null)" = wall ] && exit 0
  sleep 1
done
exit {NOT_CONNECTED}
"""
_SCRIPTS: Final = {DEVICES: _DEVICE_SCRIPT, SERVER: _SERVER_SCRIPT, CLIENT: _CLIENT_SCRIPT}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where the pods of one examination live, and of what they are made."""

    marks: Marks
    namespace: str
    image: str

    @property
    def selector(self) -> str:
        """Selects the pods of this installation's examinations."""
        return f"{names.MANAGED_BY}={PROBER},{names.INSTALLATION}={self.marks.key}"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What became of one pod: its exit code, or why there is none."""

    exit_code: int | None
    message: str = ""
    tells_devices: bool = False


def device_pod(ground: Ground, *, name: str, resource_name: str) -> Manifest:
    """Write a pod that holds one device and tries to open what it was given."""
    return _pod(ground, name, DEVICES, amounts={resource_name: "1"})


def server_pod(ground: Ground, *, name: str) -> Manifest:
    """Write a pod that answers whoever may reach it."""
    return _pod(ground, name, SERVER, is_let_through=True)


def client_pod(ground: Ground, *, name: str, target: str, is_let_through: bool) -> Manifest:
    """Write a pod that tries to reach the server."""
    return _pod(ground, name, CLIENT, is_let_through=is_let_through, target=target)


def opening(ground: Ground) -> Manifest:
    """Write the policy that lets some of the pods reach each other, and no others."""
    peers = [{"podSelector": {"matchLabels": {ground.marks.label("wall"): "open"}}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": "probe-open",
            "namespace": ground.namespace,
            "labels": {names.MANAGED_BY: PROBER, names.INSTALLATION: ground.marks.key},
        },
        "spec": {
            "podSelector": {"matchLabels": {ground.marks.label("wall"): "open"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": peers}],
            "egress": [{"to": peers}],
        },
    }


def tried(pod: Raw) -> Tried | None:
    """Read what a pod came to; None while it may still come to something."""
    status = pod.get("status") or {}
    container = (status.get("containerStatuses") or [{}])[0]
    state = container.get("state") or {}
    tells = any(one.get("resources") for one in container.get("allocatedResourcesStatus") or ())
    if ended := state.get("terminated"):
        return Tried(
            exit_code=ended.get("exitCode"),
            message=str(ended.get("message") or ended.get("reason") or ""),
            tells_devices=tells,
        )
    if status.get("phase") in ("Failed", "Succeeded"):
        return Tried(exit_code=None, message=str(status.get("message") or status.get("reason")))
    return None


def waits_for(pod: Raw) -> str:
    """Say what a pod that has come to nothing yet is waiting for."""
    status = pod.get("status") or {}
    container = (status.get("containerStatuses") or [{}])[0]
    waiting = (container.get("state") or {}).get("waiting") or {}
    if waiting:
        return str(waiting.get("message") or waiting.get("reason") or "")
    conditions = status.get("conditions") or ()
    said = [c.get("message") for c in conditions if c.get("reason") == "Unschedulable"]
    return str(said[0] if said else "It did not end in time.")


def of_device_access(outcomes: Mapping[str, Tried]) -> Finding:
    """Conclude whether an ordinary user may open a device."""
    facts = {name: _said(one) for name, one in outcomes.items()}
    codes = {one.exit_code for one in outcomes.values()}
    if DENIED in codes:
        verdict, detail = Verdict.FAILED, "An ordinary user may not open a device it was given."
    elif OPENED in codes:
        verdict, detail = Verdict.OK, "An ordinary user may open the device it was given."
    elif NO_FILE in codes:
        verdict = Verdict.NOT_TRIED
        detail = "A pod held a device and was given no device file: there was nothing to open."
    else:
        verdict, detail = Verdict.NOT_TRIED, _why_not(outcomes.values(), "No device was free.")
    return Finding(
        question=Question.DEVICE_ACCESS, verdict=verdict, detail=detail, facts={"pods": facts}
    )


def of_device_ids(outcomes: Mapping[str, Tried]) -> Finding | None:
    """Conclude how device ids are told from pods that held one; None when none ran."""
    ran = [one for one in outcomes.values() if one.exit_code is not None]
    if not ran:
        return None
    tells = all(one.tells_devices for one in ran)
    return Finding(
        question=Question.DEVICE_IDS,
        verdict=Verdict.OK if tells else Verdict.FAILED,
        detail="The status of a pod told which device it held."
        if tells
        else "The status of a pod did not tell which device it held.",
        facts={"source": "status" if tells else "none", "by": "pod"},
    )


def of_wall(*, let_through: Tried, kept_out: Tried) -> Finding:
    """Conclude whether network policies hold: who may connect does, who may not does not."""
    may, may_not = let_through.exit_code == OPENED, kept_out.exit_code == OPENED
    if may_not:
        verdict = Verdict.FAILED
        detail = "Not enforced: a pod reached another that the policy keeps it from."
    elif may and kept_out.exit_code == NOT_CONNECTED:
        verdict, detail = Verdict.OK, "Enforced: only who may reach a pod reached it."
    else:
        verdict = Verdict.NOT_TRIED
        detail = _why_not(
            (let_through, kept_out), "Pods reach each other in no way, so nothing was kept out."
        )
    facts = {"let_through": let_through.exit_code, "kept_out": kept_out.exit_code}
    return Finding(question=Question.NETWORK_POLICY, verdict=verdict, detail=detail, facts=facts)


def _said(one: Tried) -> str:
    words: dict[int | None, str] = {OPENED: "opened", NO_FILE: "no file", DENIED: "denied"}
    word = words.get(one.exit_code, "not tried")
    return f"{word}: {one.message}" if one.message else word


def _why_not(outcomes: Iterable[Tried], otherwise: str) -> str:
    said = [one.message for one in outcomes if one.exit_code is None and one.message]
    return said[0] if said else otherwise


def _pod(
    ground: Ground,
    name: str,
    asks: str,
    *,
    is_let_through: bool = False,
    target: str = "",
    amounts: Mapping[str, str] | None = None,
) -> Manifest:
    labels = {names.MANAGED_BY: PROBER, names.INSTALLATION: ground.marks.key}
    if is_let_through:
        labels[ground.marks.label("wall")] = "open"
    given = {"cpu": "50m", "memory": "32Mi", "ephemeral-storage": "16Mi", **(amounts or {})}
    variables = {"NPU_FARM_PROBE": asks, "NPU_FARM_TARGET": target}
    container = {
        "name": names.CONTAINER,
        "image": ground.image,
        "command": ["sh", "-c", _SCRIPTS[asks].strip()],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "resources": {"requests": dict(given), "limits": dict(given)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
        },
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": names.SERVICE_ACCOUNT,
        # Should we die meanwhile, they end by themselves.
        "activeDeadlineSeconds": LONGEST,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": [
            {"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in amounts or ()
        ],
        "containers": [container],
    }
    metadata = {"name": name, "namespace": ground.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
