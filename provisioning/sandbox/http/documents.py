"""The object in a request's body: of the kind, name and namespace its URL says, and well formed."""

from provisioning.sandbox import errors, shapes
from provisioning.sandbox.http.requests import Request, Target
from provisioning.sandbox.kinds import BY_NAME, LEASES, Kind
from provisioning.sandbox.objects import Json, namespace_of
from provisioning.sandbox.validation import others


def read(request: Request, target: Target) -> Json:
    """The object of a write, without the fields its kind does not have."""
    body = _decoded(request, target.kind)
    _refuse_other_kind(body, target.kind)
    body = _shaped(request, target.kind, body)
    _refuse_other_namespace(body, target)
    return body


def read_applied(request: Request, target: Target) -> Json:
    """The object of an apply, whose kind apply itself looks at."""
    body = request.document()
    wrong = shapes.wrong_types(target.kind, body)
    if wrong:
        raise errors.StatusError(
            code=500, reason="", message=f"failed to create typed patch object: {wrong[0]}"
        )
    _refuse_other_namespace(body, target)
    return body


def _decoded(request: Request, kind: Kind) -> Json:
    problem = "json: cannot unmarshal array into Go value of type struct"
    try:
        body = request.json()
    except errors.StatusError as error:
        if error.code != 400:
            raise
        problem = error.message
    else:
        if isinstance(body, dict):
            return body
    raise errors.bad_request(
        f"the object provided is unrecognized (must be of type {kind.name}): couldn't get"
        f" version/kind; json parse error: {problem}"
    )


def _refuse_other_kind(body: Json, kind: Kind) -> None:
    version, name = body.get("apiVersion") or kind.api_version, body.get("kind") or kind.name
    if (version, name) == (kind.api_version, kind.name):
        return
    known = (version, name) in BY_NAME
    why = (
        f"converting ({version.replace('/', '.')}.{name}) to ({kind.name}): unknown conversion"
        if known
        else f'no kind "{name}" is registered for version "{version}" in scheme'
    )
    raise errors.bad_request(
        f'{name} in version "{version}" cannot be handled as a {kind.name}: {why}'
    )


def _shaped(request: Request, kind: Kind, body: Json) -> Json:
    short = kind.version
    head = f'{kind.name} in version "{short}" cannot be handled as a {kind.name}: '
    wrong = shapes.wrong_types(kind, body)
    if not wrong and kind is LEASES and (unreadable := others.unreadable_lease_time(body)):
        wrong = [unreadable]
    if wrong:
        raise errors.bad_request(head + wrong[0])
    pruned, unknown = shapes.known_part(kind, body)
    if unknown and request.query.text("fieldValidation") == "Strict":
        told = ", ".join(f'unknown field "{field}"' for field in unknown)
        raise errors.bad_request(f"{head}strict decoding error: {told}")
    return pruned


def _refuse_other_namespace(body: Json, target: Target) -> None:
    given = namespace_of(body)
    if target.kind.namespaced and given not in ("", target.namespace):
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if not target.kind.namespaced and given:
        raise errors.bad_request("namespace may not be set on a cluster-scoped object")
