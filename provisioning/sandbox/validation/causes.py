"""What is wrong with an object, field by field, as a 422 lists it."""

from collections.abc import Iterable
from dataclasses import dataclass

from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, dump


@dataclass(frozen=True)
class Cause:
    """One complaint about one field."""

    reason: str
    field: str
    message: str

    def as_json(self) -> Json:
        """The cause as a Status lists it."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


Causes = Iterable[Cause]


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else dump(value).decode()


def _after(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text


def required(field: str, detail: str = "") -> Cause:
    """Something has to be there."""
    return Cause("FieldValueRequired", field, _after("Required value", detail))


def invalid(field: str, value: object, detail: str) -> Cause:
    """What is there is no good."""
    return Cause("FieldValueInvalid", field, _after(f"Invalid value: {_shown(value)}", detail))


def forbidden(field: str, detail: str) -> Cause:
    """This may not be."""
    return Cause("FieldValueForbidden", field, _after("Forbidden", detail))


def duplicate(field: str, value: object) -> Cause:
    """It is there twice."""
    return Cause("FieldValueDuplicate", field, f"Duplicate value: {_shown(value)}")


def not_found(field: str, value: object) -> Cause:
    """What it names is not there."""
    return Cause("FieldValueNotFound", field, f"Not found: {_shown(value)}")


def not_supported(field: str, value: object, supported: Iterable[str]) -> Cause:
    """It is none of the values there are."""
    listed = ", ".join(f'"{one}"' for one in supported)
    message = f"Unsupported value: {_shown(value)}: supported values: {listed}"
    return Cause("FieldValueNotSupported", field, message)


def refusal(kind: Kind, name: str, found: list[Cause]) -> StatusError:
    """The 422 for an object with at least one cause."""
    told = [f"{cause.field}: {cause.message}" for cause in found]
    summary = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    subject = f"{kind.name}.{kind.group}" if kind.group else kind.name
    details: Json = {"name": name, "group": kind.group, "kind": kind.name}
    details["causes"] = [cause.as_json() for cause in found]
    return StatusError(
        code=422,
        reason="Invalid",
        message=f'{subject} "{name}" is invalid: {summary}',
        details={key: value for key, value in details.items() if value != ""},
    )


def options_refusal(options: str, cause: Cause) -> StatusError:
    """The 422 for a parameter of the request itself."""
    return StatusError(
        code=422,
        reason="Invalid",
        message=f'{options}.meta.k8s.io "" is invalid: {cause.field}: {cause.message}',
        details={"group": "meta.k8s.io", "kind": options, "causes": [cause.as_json()]},
    )
