"""Refusals as the API server words them.

Every function answers a `StatusError`; the HTTP layer prints its body.  Clients
classify by `reason`, `details` and message, so those follow the real server.
"""

from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json


class StatusError(Exception):
    """A request ends with a failure Status; `text` is for the few that end with a plain page."""

    text = ""

    def __init__(
        self,
        *,
        code: int,
        reason: str,
        message: str,
        details: Json | None = None,
        metadata: Json | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.metadata = metadata or {}
        self.headers = headers or {}

    def body(self) -> Json:
        """The Status a client reads."""
        status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata}
        status |= {"status": "Failure", "message": self.message}
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


def details_of(kind: Kind, name: str) -> Json:
    """The details that name an object."""
    details: Json = {"name": name} if name else {}
    if kind.group:
        details["group"] = kind.group
    return {**details, "kind": kind.plural}


def not_found(kind: Kind, name: str) -> StatusError:
    """There is no such object."""
    return StatusError(
        code=404,
        reason="NotFound",
        message=f'{kind.qualified} "{name}" not found',
        details=details_of(kind, name),
    )


def already_exists(kind: Kind, name: str) -> StatusError:
    """The name is taken."""
    return StatusError(
        code=409,
        reason="AlreadyExists",
        message=f'{kind.qualified} "{name}" already exists',
        details=details_of(kind, name),
    )


def conflict(kind: Kind, name: str, why: str) -> StatusError:
    """The object is not as the writer believed."""
    return StatusError(
        code=409,
        reason="Conflict",
        message=f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}',
        details=details_of(kind, name),
    )


def stale_version(kind: Kind, name: str) -> StatusError:
    """Somebody wrote in between."""
    return conflict(
        kind,
        name,
        "the object has been modified; please apply your changes to the latest version"
        " and try again",
    )


def forbidden(kind: Kind, name: str, why: str, *, causes: list[Json] | None = None) -> StatusError:
    """A rule of the cluster or of the namespace says no."""
    details = details_of(kind, name)
    if causes:
        details["causes"] = causes
    subject = f'{kind.qualified} "{name}"' if name else kind.qualified
    return StatusError(
        code=403, reason="Forbidden", message=f"{subject} is forbidden: {why}", details=details
    )


def bad_request(message: str) -> StatusError:
    """The request cannot be understood."""
    return StatusError(code=400, reason="BadRequest", message=message)


def expired(message: str, *, metadata: Json | None = None) -> StatusError:
    """What was asked for is no longer known."""
    return StatusError(code=410, reason="Expired", message=message, metadata=metadata)


def unauthorized() -> StatusError:
    """Nobody knows the caller."""
    return StatusError(code=401, reason="Unauthorized", message="Unauthorized")


def unknown_resource() -> StatusError:
    """The group is there, the resource is not."""
    return StatusError(
        code=404,
        reason="NotFound",
        message="the server could not find the requested resource",
        details={},
    )


def method_not_allowed() -> StatusError:
    """The resource is there, the verb is not."""
    return StatusError(
        code=405,
        reason="MethodNotAllowed",
        message="the server does not allow this method on the requested resource",
        details={},
    )


def unsupported_media_type() -> StatusError:
    """The body comes in a form the server does not read."""
    return StatusError(
        code=415,
        reason="UnsupportedMediaType",
        message="415: Unsupported Media Type",
        details={},
    )


def unknown_path() -> StatusError:
    """No group of the API and no page is there: the server does not even speak JSON."""
    error = StatusError(code=404, reason="NotFound", message="404 page not found")
    error.text = "404 page not found\n"
    return error
