"""Check the kinds beside pods, as far as the product writes them."""

from collections.abc import Iterator

from provisioning.sandbox.objects import Json, labels_of, namespace_of, spec
from provisioning.sandbox.times import parse
from provisioning.sandbox.validation import causes
from provisioning.sandbox.validation.causes import Cause
from provisioning.sandbox.validation.pods import check_amount, read_amount

_COUNTED = frozenset(
    {
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory",
        "requests.ephemeral-storage", "requests.storage", "limits.cpu", "limits.memory",
        "limits.ephemeral-storage", "pods", "services", "replicationcontrollers",
        "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims",
        "services.nodeports", "services.loadbalancers",
    }
)  # fmt: skip
_SECURITY = "pod-security.kubernetes.io/"
_LEVELS = ("privileged", "baseline", "restricted")
_MICROS = "2006-01-02T15:04:05.000000Z07:00"


def check_namespace(namespace: Json) -> Iterator[Cause]:
    """A label that promises security has to name a level there is."""
    for mode in ("enforce", "audit", "warn"):
        level = labels_of(namespace).get(_SECURITY + mode)
        if level is not None and level not in _LEVELS:
            field = f"metadata.labels[{_SECURITY}{mode}]"
            yield causes.invalid(field, level, f"must be one of {', '.join(_LEVELS)}")


def check_quota(quota: Json) -> Iterator[Cause]:
    """A quota limits what can be counted."""
    for name, value in (spec(quota).get("hard") or {}).items():
        field = f"spec.hard[{name}]"
        if "/" not in name and name not in _COUNTED and not name.startswith("requests.hugepages-"):
            yield causes.invalid(field, name, "must be a standard resource type or fully qualified")
            yield causes.invalid(field, name, "must be a standard resource for quota")
        yield from check_amount(field, name.removeprefix("requests."), value)


def check_service(service: Json) -> Iterator[Cause]:
    """A service has ports, and a name that can begin a host name."""
    ports = spec(service).get("ports") or []
    if not ports and spec(service).get("clusterIP") != "None":
        yield causes.required("spec.ports")
    for position, port in enumerate(ports):
        number = port.get("port")
        if not isinstance(number, int) or not 1 <= number <= 65535:
            field = f"spec.ports[{position}].port"
            yield causes.invalid(field, number, "must be between 1 and 65535, inclusive")


def check_lease(lease: Json) -> Iterator[Cause]:
    """A lease lasts some time."""
    seconds = spec(lease).get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        yield causes.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")


def unreadable_lease_time(lease: Json) -> str:
    """Why a lease's time cannot be read: the type wants exactly six digits of a second."""
    for field in ("acquireTime", "renewTime"):
        text = spec(lease).get(field)
        if text and (len(str(text).partition(".")[2]) != len("000000Z") or not _is_time(text)):
            return f'parsing time "{text}" as "{_MICROS}": cannot parse'
    return ""


def _is_time(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def check_event(event: Json) -> Iterator[Cause]:
    """An event is told in the namespace of what it is about."""
    about = str((event.get("involvedObject") or {}).get("namespace") or "")
    if (about or "default") != namespace_of(event):
        yield causes.invalid("involvedObject.namespace", about, "does not match event.namespace")


def check_limit_range(limits: Json) -> Iterator[Cause]:
    """Bounds may not contradict each other."""
    for position, item in enumerate(spec(limits).get("limits") or []):
        field = f"spec.limits[{position}]"
        if not item.get("type"):
            yield causes.required(f"{field}.type")
        for name in item.get("max") or {}:
            least = (item.get("min") or {}).get(name)
            if least is not None and _more(least, item["max"][name]):
                detail = f"min value {least} is greater than max value {item['max'][name]}"
                yield causes.invalid(f"{field}.min[{name}]", least, detail)


def _more(one: object, other: object) -> bool:
    first, second = read_amount(one), read_amount(other)
    return first is not None and second is not None and first > second
