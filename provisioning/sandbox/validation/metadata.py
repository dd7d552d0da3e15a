"""Check the metadata every object has, at creation and against what was there before."""

from collections.abc import Iterator

from provisioning.sandbox.kinds import NAMESPACES, SERVICES, Kind
from provisioning.sandbox.objects import Json, is_deleting, metadata
from provisioning.sandbox.validation import causes, names
from provisioning.sandbox.validation.causes import Cause

# Kinds whose names become a DNS label, not a subdomain.
_LABEL_NAMED = (NAMESPACES, SERVICES)
_ANNOTATIONS_LIMIT = 256 * 1024
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def check(kind: Kind, obj: Json) -> Iterator[Cause]:
    """What is wrong with the metadata of a new object."""
    meta = metadata(obj)
    yield from _check_name(kind, str(meta.get("name") or ""))
    for key, value in (meta.get("labels") or {}).items():
        yield from names.qualified("metadata.labels", key)
        yield from names.label_value("metadata.labels", value)
    yield from _check_annotations(meta.get("annotations") or {})
    for position, finalizer in enumerate(meta.get("finalizers") or []):
        yield from _check_finalizer(f"metadata.finalizers[{position}]", finalizer)


def _check_name(kind: Kind, name: str) -> Iterator[Cause]:
    if not name:
        yield causes.required("metadata.name", "name or generateName is required")
    elif kind in _LABEL_NAMED:
        yield from names.label("metadata.name", name)
    else:
        yield from names.subdomain("metadata.name", name)


def _check_annotations(annotations: Json) -> Iterator[Cause]:
    for key in annotations:
        yield from names.qualified("metadata.annotations", key.lower())
    size = sum(len(key) + len(str(value)) for key, value in annotations.items())
    if size > _ANNOTATIONS_LIMIT:
        yield Cause(
            "FieldValueTooLong",
            "metadata.annotations",
            f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes",
        )


def _check_finalizer(field: str, finalizer: str) -> Iterator[Cause]:
    yield from names.qualified(field, finalizer)
    if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
        detail = "name is neither a standard finalizer name nor is it fully qualified"
        yield causes.invalid(field, finalizer, detail)


def check_change(before: Json, now: Json) -> Iterator[Cause]:
    """What an update may not touch."""
    old, new = metadata(before), metadata(now)
    for field in ("uid", "deletionTimestamp"):
        if new.get(field) != old.get(field):
            yield causes.invalid(f"metadata.{field}", new.get(field), "field is immutable")
    if is_deleting(before):
        yield from _check_new_finalizers(old.get("finalizers") or [], new.get("finalizers") or [])


def _check_new_finalizers(old: list[str], new: list[str]) -> Iterator[Cause]:
    added = [finalizer for finalizer in new if finalizer not in old]
    if added:
        listed = ", ".join(f'"{finalizer}"' for finalizer in added)
        yield causes.forbidden(
            "metadata.finalizers",
            "no new finalizers can be added if the object is being deleted, found new finalizers"
            f" []string{{{listed}}}",
        )
