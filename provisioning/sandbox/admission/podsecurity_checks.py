"""The checks of Pod Security: a pod spec in, the complaint out, empty when there is none."""

from collections.abc import Callable, Iterable

from provisioning.sandbox.objects import Json

_DEFAULT_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
        "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
_SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    }
)  # fmt: skip
_SAFE_VOLUMES = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image",
        "persistentVolumeClaim", "projected", "secret",
    }
)  # fmt: skip
_SAFE_SECCOMP = ("RuntimeDefault", "Localhost")


def _containers(spec: Json) -> list[Json]:
    return [
        container
        for group in ("initContainers", "containers", "ephemeralContainers")
        for container in spec.get(group) or []
    ]


def _security(holder: Json) -> Json:
    found: Json = holder.get("securityContext") or {}
    return found


def _bad(spec: Json, is_bad: Callable[[Json], bool]) -> list[str]:
    return [one["name"] for one in _containers(spec) if is_bad(_security(one))]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _plural(word: str, names: list[str]) -> str:
    return f"{word if len(names) == 1 else word + 's'} {_quoted(names)}"


def _setters(pod_is_bad: bool, names: list[str]) -> str:
    setters = ["pod"] if pod_is_bad else []
    return " and ".join(setters + ([_plural("container", names)] if names else []))


def privilege_escalation(spec: Json) -> str:
    """Every container has to say that it cannot gain privileges."""
    names = _bad(spec, lambda security: security.get("allowPrivilegeEscalation") is not False)
    if not names:
        return ""
    who = _plural("container", names)
    what = "must set securityContext.allowPrivilegeEscalation=false"
    return f"allowPrivilegeEscalation != false ({who} {what})"


def capabilities_kept(spec: Json) -> str:
    """Every container drops all capabilities and adds at most one."""
    kept = _bad(spec, lambda security: "ALL" not in _capabilities(security, "drop"))
    added = _bad(spec, lambda security: bool(_forbidden_additions(security)))
    found: list[str] = []
    if kept:
        who = _plural("container", kept)
        found.append(f'{who} must set securityContext.capabilities.drop=["ALL"]')
    if added:
        found.append(_additions(spec, added, _forbidden_additions))
    return f"unrestricted capabilities ({'; '.join(found)})" if found else ""


def _capabilities(security: Json, part: str) -> list[str]:
    return (security.get("capabilities") or {}).get(part) or []


def _forbidden_additions(security: Json) -> list[str]:
    return [one for one in _capabilities(security, "add") if one != "NET_BIND_SERVICE"]


def _non_default_additions(security: Json) -> list[str]:
    return [one for one in _capabilities(security, "add") if one not in _DEFAULT_CAPABILITIES]


def _additions(spec: Json, names: list[str], find: Callable[[Json], list[str]]) -> str:
    found = sorted({one for container in _containers(spec) for one in find(_security(container))})
    who = _plural("container", names)
    return f"{who} must not include {_quoted(found)} in securityContext.capabilities.add"


def capabilities_added(spec: Json) -> str:
    """No capability beyond the runtime's default set."""
    names = _bad(spec, lambda security: bool(_non_default_additions(security)))
    if not names:
        return ""
    return f"non-default capabilities ({_additions(spec, names, _non_default_additions)})"


def host_namespaces(spec: Json) -> str:
    """No namespace shared with the node."""
    found = [f"{key}=true" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    return f"host namespaces ({', '.join(found)})" if found else ""


def host_paths(spec: Json) -> str:
    """No folder of the node."""
    names = [volume["name"] for volume in spec.get("volumes") or [] if "hostPath" in volume]
    return f"hostPath volumes ({_plural('volume', names)})" if names else ""


def host_ports(spec: Json) -> str:
    """No port of the node."""
    ports = {
        container["name"]: [
            port["hostPort"] for port in container.get("ports") or [] if port.get("hostPort")
        ]
        for container in _containers(spec)
    }
    names = [name for name, found in ports.items() if found]
    if not names:
        return ""
    numbers = sorted({str(port) for found in ports.values() for port in found})
    verb = "uses" if len(names) == 1 else "use"
    word = "hostPort" if len(numbers) == 1 else "hostPorts"
    return f"hostPort ({_plural('container', names)} {verb} {word} {', '.join(numbers)})"


def privileged(spec: Json) -> str:
    """No container with the node's own rights."""
    names = _bad(spec, lambda security: bool(security.get("privileged")))
    if not names:
        return ""
    who = _plural("container", names)
    return f"privileged ({who} must not set securityContext.privileged=true)"


def proc_mount(spec: Json) -> str:
    """No unmasked /proc."""
    names = _bad(spec, lambda security: security.get("procMount") not in (None, "Default"))
    if not names:
        return ""
    who = _plural("container", names)
    return f'procMount ({who} must not set securityContext.procMount to "Unmasked")'


def sysctls(spec: Json) -> str:
    """No kernel setting that reaches beyond the pod."""
    given = [one["name"] for one in _security(spec).get("sysctls") or []]
    found = [name for name in given if name not in _SAFE_SYSCTLS]
    return f"forbidden sysctls ({', '.join(found)})" if found else ""


def volume_types(spec: Json) -> str:
    """Only volumes that cannot reach the node."""
    bad = [one for one in spec.get("volumes") or [] if not _SAFE_VOLUMES & set(one)]
    if not bad:
        return ""
    names = [volume["name"] for volume in bad]
    types = sorted({key for volume in bad for key in volume if key != "name"})
    verb = "uses" if len(names) == 1 else "use"
    word = _plural("restricted volume type", types)
    return f"restricted volume types ({_plural('volume', names)} {verb} {word})"


def run_as_non_root(spec: Json) -> str:
    """Somebody has to promise that no container runs as root."""
    pod = _security(spec).get("runAsNonRoot")
    explicit = _bad(spec, lambda security: security.get("runAsNonRoot") is False)
    silent = _bad(spec, lambda security: security.get("runAsNonRoot") is None)
    if explicit or pod is False:
        who = _setters(pod is False, explicit)
        return f"runAsNonRoot != true ({who} must not set securityContext.runAsNonRoot=false)"
    if silent and not pod:
        who = _plural("container", silent)
        return f"runAsNonRoot != true (pod or {who} must set securityContext.runAsNonRoot=true)"
    return ""


def run_as_user(spec: Json) -> str:
    """Nobody is user 0."""
    names = _bad(spec, lambda security: security.get("runAsUser") == 0)
    pod_is_bad = _security(spec).get("runAsUser") == 0
    if not names and not pod_is_bad:
        return ""
    return f"runAsUser=0 ({_setters(pod_is_bad, names)} must not set runAsUser=0)"


def _profile(holder: Json) -> str | None:
    found: str | None = (holder.get("seccompProfile") or {}).get("type")
    return found


def _unsafe_profile(spec: Json) -> str:
    pod = _profile(_security(spec))
    pod_is_bad = pod is not None and pod not in _SAFE_SECCOMP
    names = _bad(spec, lambda one: _profile(one) not in (None, *_SAFE_SECCOMP))
    if not names and not pod_is_bad:
        return ""
    types = sorted(
        {
            profile
            for holder in (spec, *_containers(spec))
            if (profile := _profile(_security(holder))) not in (None, *_SAFE_SECCOMP)
        }
    )
    who = _setters(pod_is_bad, names)
    return f"{who} must not set securityContext.seccompProfile.type to {_quoted(types)}"


def seccomp_unconfined(spec: Json) -> str:
    """No container outside system-call filtering."""
    found = _unsafe_profile(spec)
    return f"seccompProfile ({found})" if found else ""


def seccomp(spec: Json) -> str:
    """Every container under a system-call filter that somebody named."""
    found = _unsafe_profile(spec)
    if found:
        return f"seccompProfile ({found})"
    silent = _bad(spec, lambda security: _profile(security) is None)
    if not silent or _profile(_security(spec)) in _SAFE_SECCOMP:
        return ""
    who = _plural("container", silent)
    what = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return f"seccompProfile (pod or {who} {what})"
