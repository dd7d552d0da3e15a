"""Check claims, volumes and storage classes, and what may change of them."""

from collections.abc import Iterator

from provisioning.sandbox import errors
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import PERSISTENT_VOLUME_CLAIMS, STORAGE_CLASSES, Kind
from provisioning.sandbox.objects import Json, name_of, spec, status
from provisioning.sandbox.validation import causes
from provisioning.sandbox.validation.causes import Cause
from provisioning.sandbox.validation.pods import check_amount, read_amount

MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
BINDING = ("Immediate", "WaitForFirstConsumer")
_STILL = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName"
    " for bound claims"
)
_NO_RESIZE = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the"
    " pvc must support resize"
)


def check_claim(claim: Json) -> Iterator[Cause]:
    """A claim says how it will be used, and how much it needs."""
    yield from _check_modes(spec(claim))
    requests = (spec(claim).get("resources") or {}).get("requests") or {}
    if "storage" not in requests:
        yield causes.required("spec.resources[storage]")
        return
    amount = read_amount(requests["storage"])
    if amount is not None and amount <= 0:
        yield causes.invalid(
            "spec.resources[storage]", requests["storage"], "must be greater than zero"
        )


def check_volume(volume: Json) -> Iterator[Cause]:
    """A volume has a size, and something that holds it."""
    yield from _check_modes(spec(volume))
    capacity = spec(volume).get("capacity") or {}
    if not capacity:
        yield causes.required("spec.capacity")
    for name, value in capacity.items():
        yield from check_amount(f"spec.capacity[{name}]", name, value)
    if not any(source in spec(volume) for source in ("hostPath", "csi", "nfs", "local")):
        yield causes.required("spec", "must specify a volume type")


def check_class(found: Json) -> Iterator[Cause]:
    """A class names who provisions, and when."""
    if not found.get("provisioner"):
        yield causes.required("provisioner")
    if found.get("volumeBindingMode") not in BINDING:
        yield causes.not_supported("volumeBindingMode", found.get("volumeBindingMode"), BINDING)


def check_claim_change(before: Json, now: Json) -> Iterator[Cause]:
    """Only the size of a bound claim moves, and only up."""
    is_bound = status(before).get("phase") == "Bound"
    if _frozen(before, is_bound=is_bound) != _frozen(now, is_bound=is_bound):
        yield causes.forbidden("spec", _STILL)
        return
    floor = (status(before).get("capacity") or {}).get("storage")
    if is_bound and _asked(now) < _asked(before) and _read(floor) > _asked(now):
        field = "spec.resources.requests.storage"
        yield causes.forbidden(field, "field can not be less than status.capacity")


def refuse_growth(cluster: Cluster, *, kind: Kind, before: Json, now: Json) -> None:
    """Refuse to let a claim grow whose class does not let claims grow: an admission plugin."""
    if kind is not PERSISTENT_VOLUME_CLAIMS or _asked(now) <= _asked(before):
        return
    if status(before).get("phase") != "Bound":
        return
    found = cluster.store.get(STORAGE_CLASSES, "", str(spec(before).get("storageClassName") or ""))
    if found is None or not found.object.get("allowVolumeExpansion"):
        raise errors.forbidden(kind, name_of(now), _NO_RESIZE)


def _check_modes(body: Json) -> Iterator[Cause]:
    modes = body.get("accessModes") or []
    if not modes:
        yield causes.required("spec.accessModes", "at least 1 access mode is required")
    for mode in modes:
        if mode not in MODES:
            yield causes.not_supported("spec.accessModes", mode, MODES)


def _frozen(claim: Json, *, is_bound: bool) -> Json:
    # The controller writes the volume's name into a claim that has none.
    moving = {"resources"} if is_bound else {"volumeName"}
    return {key: value for key, value in spec(claim).items() if key not in moving}


def _asked(claim: Json) -> float:
    return _read(((spec(claim).get("resources") or {}).get("requests") or {}).get("storage"))


def _read(value: object) -> float:
    amount = read_amount(value) if value is not None else None
    return float(amount) if amount is not None else 0.0
