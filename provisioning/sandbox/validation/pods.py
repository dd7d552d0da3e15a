"""Check a pod, at creation and when somebody changes it."""

from collections.abc import Iterator
from fractions import Fraction

from provisioning.sandbox import quantities
from provisioning.sandbox.objects import Json, spec
from provisioning.sandbox.validation import causes, names
from provisioning.sandbox.validation.causes import Cause

_NATIVE = ("cpu", "memory", "ephemeral-storage")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_CHANGEABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only"
    " additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set"
    " to 1 if it was previously negative)"
)


def check(pod: Json) -> Iterator[Cause]:
    """What is wrong with a new pod."""
    pod_spec = spec(pod)
    containers = pod_spec.get("containers")
    if not containers:
        yield causes.required("spec.containers")
    yield from _check_containers("spec.containers", containers or [], pod_spec)
    yield from _check_containers(
        "spec.initContainers", pod_spec.get("initContainers") or [], pod_spec
    )
    yield from _check_policies(pod_spec)
    yield from _check_numbers(pod_spec)


def _check_policies(pod_spec: Json) -> Iterator[Cause]:
    policy = pod_spec.get("restartPolicy")
    if policy not in _RESTART_POLICIES:
        yield causes.not_supported("spec.restartPolicy", policy, _RESTART_POLICIES)
    for key in pod_spec.get("nodeSelector") or {}:
        yield from names.qualified("spec.nodeSelector", key)


def _check_numbers(pod_spec: Json) -> Iterator[Cause]:
    deadline = pod_spec.get("activeDeadlineSeconds")
    if deadline is not None and deadline < 1:
        detail = "must be between 1 and 2147483647, inclusive"
        yield causes.invalid("spec.activeDeadlineSeconds", deadline, detail)


def _check_containers(field: str, containers: list[Json], pod_spec: Json) -> Iterator[Cause]:
    volumes = {volume.get("name") for volume in pod_spec.get("volumes") or []}
    seen: set[str] = set()
    for position, container in enumerate(containers):
        at = f"{field}[{position}]"
        name = str(container.get("name") or "")
        yield from _check_container_name(at, name, seen)
        seen.add(name)
        yield from _check_image(f"{at}.image", str(container.get("image") or ""))
        policy = container.get("imagePullPolicy")
        if policy not in _PULL_POLICIES:
            yield causes.not_supported(f"{at}.imagePullPolicy", policy, _PULL_POLICIES)
        yield from _check_ports(at, container)
        yield from _check_environment(at, container)
        yield from _check_mounts(at, container, volumes)
        yield from check_resources(f"{at}.resources", container.get("resources") or {})


def _check_container_name(at: str, name: str, seen: set[str]) -> Iterator[Cause]:
    if not name:
        yield causes.required(f"{at}.name")
    elif name in seen:
        yield causes.duplicate(f"{at}.name", name)
    else:
        yield from names.label(f"{at}.name", name)


def _check_image(field: str, image: str) -> Iterator[Cause]:
    if not image:
        yield causes.required(field)
    elif image != image.strip():
        yield causes.invalid(field, image, "must not have leading or trailing whitespace")


def _check_ports(at: str, container: Json) -> Iterator[Cause]:
    for position, port in enumerate(container.get("ports") or []):
        field, number = f"{at}.ports[{position}].containerPort", port.get("containerPort")
        if not number:
            yield causes.required(field)
        elif not 1 <= number <= 65535:
            yield causes.invalid(field, number, "must be between 1 and 65535, inclusive")


def _check_environment(at: str, container: Json) -> Iterator[Cause]:
    for position, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            yield causes.required(f"{at}.env[{position}].name")


def _check_mounts(at: str, container: Json, volumes: set[str | None]) -> Iterator[Cause]:
    for position, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            yield causes.not_found(f"{at}.volumeMounts[{position}].name", mount.get("name"))


def check_resources(field: str, resources: Json) -> Iterator[Cause]:
    """Requests and limits have to be amounts, and agree."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name, value in amounts.items():
            yield from _check_resource_name(f"{field}.{part}[{name}]", name)
            yield from check_amount(f"{field}.{part}[{name}]", name, value)
    yield from _check_requests(field, limits, requests)


def check_amount(field: str, name: str, value: object) -> Iterator[Cause]:
    """An amount is not negative, and of devices it is a whole number."""
    amount = read_amount(value)
    if amount is None:
        return
    if amount < 0:
        yield causes.invalid(field, value, "must be greater than or equal to 0")
    if is_extended(name) and amount.denominator != 1:
        yield causes.invalid(field, value, "must be an integer")


def _check_resource_name(field: str, name: str) -> Iterator[Cause]:
    if "/" not in name and name not in _NATIVE and not name.startswith("hugepages-"):
        yield causes.invalid(field, name, "must be a standard resource type or fully qualified")
        yield causes.invalid(field, name, "must be a standard resource for containers")


def _check_requests(field: str, limits: Json, requests: Json) -> Iterator[Cause]:
    for name, request in requests.items():
        limit = limits.get(name)
        if is_extended(name) and limit is None:
            yield causes.required(
                f"{field}.limits", "Limit must be set for non overcommitable resources"
            )
        elif limit is not None:
            yield from _compare(f"{field}.requests", name, request, limit)


def _compare(field: str, name: str, request: object, limit: object) -> Iterator[Cause]:
    asked, allowed = read_amount(request), read_amount(limit)
    if asked is None or allowed is None:
        return
    if is_extended(name) and asked != allowed:
        yield causes.invalid(field, request, f"must be equal to {name} limit of {limit}")
    elif asked > allowed:
        yield causes.invalid(
            field, request, f"must be less than or equal to {name} limit of {limit}"
        )


def is_extended(name: str) -> bool:
    """Whether a resource is a device plugin's."""
    return "/" in name and not name.startswith("kubernetes.io/")


def read_amount(value: object) -> Fraction | None:
    """An amount as a number; None when it is none."""
    try:
        return quantities.read(value)
    except quantities.BadQuantity:
        return None


def check_change(before: Json, now: Json) -> Iterator[Cause]:
    """A pod's spec stands still but for the few fields the API lets move."""
    old, new = spec(before), spec(now)
    if _frozen(old) != _frozen(new):
        yield causes.forbidden("spec", _CHANGEABLE)
    yield from _check_deadline(old.get("activeDeadlineSeconds"), new.get("activeDeadlineSeconds"))
    removed = [
        item for item in old.get("tolerations") or [] if item not in (new.get("tolerations") or [])
    ]
    if removed:
        yield causes.forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        )


def _check_deadline(before: int | None, now: int | None) -> Iterator[Cause]:
    field = "spec.activeDeadlineSeconds"
    if before is not None and now is None:
        yield causes.invalid(field, now, "must not update from a positive integer to nil value")
    elif before is not None and now is not None and now > before:
        yield causes.invalid(field, now, "must be less than or equal to previous value")


def _frozen(pod_spec: Json) -> Json:
    kept = {
        key: value
        for key, value in pod_spec.items()
        if key not in ("activeDeadlineSeconds", "tolerations", "containers", "initContainers")
    }
    for group in ("containers", "initContainers"):
        kept[group] = [
            {key: value for key, value in container.items() if key != "image"}
            for container in pod_spec.get(group) or []
        ]
    return kept
