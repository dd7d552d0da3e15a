"""Label and field selectors: from the text of a query to a test for one object.

Reading and watching filter with the same `Selection`, so a watch can tell when an
object enters or leaves it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from provisioning.sandbox import errors, kinds
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, labels_of

Labels = dict[str, str]
LabelTest = Callable[[Labels], bool]
FieldTest = Callable[[Json], bool]

_KEY = r"(?:[A-Za-z0-9.\-]+/)?[A-Za-z0-9](?:[A-Za-z0-9_.\-]*[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9_.\-]*"
_SET = re.compile(rf"^({_KEY})\s+(in|notin)\s*\(([^()]*)\)$")
_EQUAL = re.compile(rf"^({_KEY})\s*(==|!=|=)\s*({_VALUE})$")
_ORDER = re.compile(rf"^({_KEY})\s*([<>])\s*(-?\d+)$")
_EXISTS = re.compile(rf"^(!?)\s*({_KEY})$")
# A comma inside the parentheses of a set belongs to the set.
_COMMA = re.compile(r",(?![^()]*\))")

_ANY_KIND = ("metadata.name", "metadata.namespace")
_FIELDS: dict[Kind, tuple[str, ...]] = {
    kinds.PODS: (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    kinds.EVENTS: (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
        "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
    ),
    kinds.NODES: ("spec.unschedulable",),
    kinds.NAMESPACES: ("status.phase",),
    kinds.SECRETS: ("type",),
    kinds.SERVICES: ("spec.clusterIP", "spec.type"),
}  # fmt: skip
_BOOLEANS = ("spec.hostNetwork", "spec.unschedulable")


@dataclass(frozen=True)
class Selection:
    """Which objects a request is about."""

    namespace: str = ""
    labels: tuple[LabelTest, ...] = ()
    fields: tuple[FieldTest, ...] = ()

    def holds(self, obj: Json) -> bool:
        """Whether an object is in it."""
        if self.namespace and obj["metadata"].get("namespace") != self.namespace:
            return False
        if self.labels:
            labels = labels_of(obj)
            if not all(test(labels) for test in self.labels):
                return False
        return all(test(obj) for test in self.fields)


def select(kind: Kind, *, namespace: str = "", labels: str = "", fields: str = "") -> Selection:
    """The selection a request's parameters describe."""
    return Selection(
        namespace=namespace,
        labels=parse_labels(labels),
        fields=parse_fields(kind, fields),
    )


def parse_labels(text: str) -> tuple[LabelTest, ...]:
    """The tests of a label selector."""
    parts = [part.strip() for part in _COMMA.split(text)] if text.strip() else []
    return tuple(_label_test(part) for part in parts)


def _label_test(part: str) -> LabelTest:
    if match := _SET.match(part):
        return _set_test(*match.groups())
    if match := _EQUAL.match(part):
        return _equality_test(*match.groups())
    if match := _ORDER.match(part):
        return _order_test(*match.groups())
    if match := _EXISTS.match(part):
        return _existence_test(*match.groups())
    raise errors.bad_request(f"unable to parse requirement: found '{part}'")


def _set_test(key: str, operator: str, listed: str) -> LabelTest:
    values = frozenset(value.strip() for value in listed.split(","))
    if operator == "in":
        return lambda labels: labels.get(key) in values
    return lambda labels: key not in labels or labels[key] not in values


def _equality_test(key: str, operator: str, value: str) -> LabelTest:
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    return lambda labels: labels.get(key) == value


def _order_test(key: str, operator: str, value: str) -> LabelTest:
    bound = int(value)

    def test(labels: Labels) -> bool:
        try:
            found = int(labels[key])
        except (KeyError, ValueError):
            return False
        return found > bound if operator == ">" else found < bound

    return test


def _existence_test(negation: str, key: str) -> LabelTest:
    if negation:
        return lambda labels: key not in labels
    return lambda labels: key in labels


def parse_fields(kind: Kind, text: str) -> tuple[FieldTest, ...]:
    """The tests of a field selector."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(_field_test(kind, part) for part in parts)


def _field_test(kind: Kind, part: str) -> FieldTest:
    match = re.match(r"^([A-Za-z.]+)(==|!=|=)(.*)$", part)
    if match is None:
        raise errors.bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    path, operator, value = match.groups()
    if path not in _ANY_KIND + _FIELDS.get(kind, ()):
        raise errors.bad_request(f"field label not supported: {path}")
    wanted = operator != "!="
    read = _reader(path)
    return lambda obj: (read(obj) == value) is wanted


def _reader(path: str) -> Callable[[Json], str]:
    if path == "source":
        return lambda obj: str((obj.get("source") or {}).get("component") or "")
    parts = path.split(".")
    empty = "false" if path in _BOOLEANS else ""

    def read(obj: Json) -> str:
        value: object = obj
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return str(value).lower()
        return str(value) if value else empty

    return read
